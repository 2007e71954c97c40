# A child's output appears before the unflushed text of its parent.
import subprocess
import sys
print("printed first, appears last")
subprocess.run([sys.executable, "-c", "print('from child')"])
