import sys
sys.stdin.reconfigure(errors="strict")
print(sys.stdin.read())
