# input() reads from a stdin that is replaced by a string buffer.
import io
import sys
sys.stdin = io.StringIO("fake\n")
print(input("Q: "))
input()
