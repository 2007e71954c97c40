# os.abort kills the program with SIGABRT, and buffered text is lost.
import os
print("lost in buffer")
os.abort()
