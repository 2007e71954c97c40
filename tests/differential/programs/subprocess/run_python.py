# A Python child gets its arguments and returns its output and exit code.
import subprocess
import sys
r = subprocess.run([sys.executable, "-c", "import sys; print(sys.argv, __name__); sys.exit(3)", "a"], capture_output=True, text=True)
print(r.returncode, r.stdout, r.stderr)
