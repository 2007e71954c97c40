# The default hook meets a stderr whose write fails.
import os
import sys
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
class Bad:
    def write(self, s):
        print("write called")
        raise OSError("cannot write")
    def flush(self):
        pass
sys.stderr = Bad()
1 / 0
