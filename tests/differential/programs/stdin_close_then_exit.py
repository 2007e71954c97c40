import sys
sys.stdin.close()
print(sys.stdin.closed)
