import sys
sys.stdout.reconfigure(encoding="utf-16")
print("ab")
print("cd")
