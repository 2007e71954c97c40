import io
import sys
sys.stdin = io.StringIO("fake\n")
print(input("Q: "))
input()
