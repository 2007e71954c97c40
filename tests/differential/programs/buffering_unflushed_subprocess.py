import subprocess
import sys
print("printed first, appears last")
subprocess.run([sys.executable, "-c", "print('from child')"])
