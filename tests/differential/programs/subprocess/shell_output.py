# Shell commands return their combined output and status.
import subprocess
print(subprocess.getstatusoutput("echo out; echo err >&2; exit 2"))
print(subprocess.check_output("cat", shell=True, input=b"abc"))
