# Python children fail with the usual exit codes: interrupt, error, abort, syntax error, closed stdout.
import subprocess
import sys
for code in ("raise KeyboardInterrupt", "raise ValueError", "import os; os._exit(300)", "import os; os.abort()", "x = ", "import os; os.close(1); print(1)"):
    r = subprocess.run([sys.executable, "-c", code], capture_output=True)
    print(r.returncode)
