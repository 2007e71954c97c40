# sys.exit(True) exits with code 1.
import sys
sys.exit(True)
