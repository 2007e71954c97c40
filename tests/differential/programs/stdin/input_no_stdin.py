# input() without sys.stdin raises RuntimeError.
import sys
sys.stdin = None
input("p")
