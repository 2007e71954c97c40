# A traceback that meets a closed descriptor 2 changes the exit code to 120.
import os
os.close(2)
print("out")
1 / 0
