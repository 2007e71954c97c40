# input() reads from a stdin that is replaced by a file.
import sys
with open("in.txt", "w") as f:
    f.write("a\nb\n")
sys.stdin = open("in.txt")
print(input(), input())
input()
