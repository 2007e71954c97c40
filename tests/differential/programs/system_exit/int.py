# sys.exit(42) exits with code 42.
import sys
sys.exit(42)
