# A command that takes too long raises TimeoutExpired.
import subprocess
try:
    subprocess.run(["sleep", "5"], timeout=0.1)
except subprocess.TimeoutExpired as e:
    print(e.cmd, round(e.timeout, 1))
