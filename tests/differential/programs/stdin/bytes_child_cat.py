# A child inherits standard input and reads all of it.
import subprocess
r = subprocess.run(["cat"], capture_output=True)
print(r.stdout, r.returncode)
