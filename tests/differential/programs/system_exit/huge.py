# An exit code that fits no C integer becomes 255.
import sys
sys.exit(2**70)
