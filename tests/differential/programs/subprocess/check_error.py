# A failed command raises CalledProcessError with its traceback.
import subprocess
subprocess.run(["sh", "-c", "exit 7"], check=True)
