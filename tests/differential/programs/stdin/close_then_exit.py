# The program ends well after it closes stdin.
import sys
sys.stdin.close()
print(sys.stdin.closed)
