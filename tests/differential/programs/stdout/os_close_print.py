# A print after descriptor 1 is closed fails at exit.
import os
os.close(1)
print("cannot be flushed")
