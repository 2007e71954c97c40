# A stdout that becomes UTF-16 writes no byte order mark.
import sys
sys.stdout.reconfigure(encoding="utf-16")
print("ab")
print("cd")
