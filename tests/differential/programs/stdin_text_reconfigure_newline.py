import sys
sys.stdin.reconfigure(newline="")
print(sys.stdin.readlines())
