# A child that outlives the program is handled as usual.
import subprocess
import sys
p = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2); print('child after parent')"])
print("parent end", flush=True)
