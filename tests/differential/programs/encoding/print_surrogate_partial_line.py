# A print that fails in the middle leaves the usual part of its line.
import sys
try:
    print("abc", "x\ud800", "def")
except UnicodeEncodeError as e:
    print(e)
sys.stdout.flush()
