# input() on a closed stdin raises ValueError.
import sys
sys.stdin.close()
input()
