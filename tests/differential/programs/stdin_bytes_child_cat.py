import subprocess
r = subprocess.run(["cat"], capture_output=True)
print(r.stdout, r.returncode)
