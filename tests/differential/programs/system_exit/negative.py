# Exit code -1 becomes 255.
import sys
sys.exit(-1)
