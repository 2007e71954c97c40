# Exit code 256 becomes 0.
import sys
sys.exit(256)
