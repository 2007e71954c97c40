# sys.exit without a value exits with code 0.
import sys
print("before")
sys.exit()
