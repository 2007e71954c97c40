# A missing command raises FileNotFoundError with its traceback.
import subprocess
subprocess.run(["no-such-command-here"])
