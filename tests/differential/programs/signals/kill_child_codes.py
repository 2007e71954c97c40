# Children that signals kill return negative codes.
import signal
import subprocess
import sys
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
    r = subprocess.run([sys.executable, "-S", "-c", f"import os; os.kill(os.getpid(), {int(s)})"], stderr=subprocess.DEVNULL)
    print(s.name, r.returncode)
