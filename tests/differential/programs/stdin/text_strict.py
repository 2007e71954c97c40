# Strict decoding fails at a bad byte of standard input.
import sys
sys.stdin.reconfigure(errors="strict")
print(sys.stdin.read())
