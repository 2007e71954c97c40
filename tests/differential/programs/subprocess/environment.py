# A child sees the changes that the program made to its environment.
import os
import subprocess
import sys
os.environ["ADDED_BY_PROGRAM"] = "yes"
os.environ.pop("LANG", None)
print(subprocess.run([sys.executable, "-c", "import os; print(os.environ.get('ADDED_BY_PROGRAM'), 'LANG' in os.environ)"], capture_output=True, text=True).stdout)
