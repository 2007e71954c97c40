# input() fails at a bad byte when decoding is strict.
import sys
sys.stdin.reconfigure(errors="strict")
input()
