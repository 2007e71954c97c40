import sys
sys.stdin.reconfigure(errors="strict")
input()
