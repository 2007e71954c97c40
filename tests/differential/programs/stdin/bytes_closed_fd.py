# input() fails on a closed descriptor 0, and the next file gets that number.
import os
os.close(0)
try:
    input()
except Exception as e:
    print(type(e).__name__, e)
print(os.open("/dev/null", os.O_RDONLY))
