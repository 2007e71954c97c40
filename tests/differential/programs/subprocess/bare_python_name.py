# python3 is found on the PATH and has the same version.
import subprocess
r = subprocess.run(["python3", "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
print(r.stdout, r.returncode)
