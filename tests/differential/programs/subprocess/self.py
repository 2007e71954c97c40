# The program runs its own file as a child.
import subprocess
import sys
if len(sys.argv) > 1:
    print("child", sys.argv[1], __name__)
    raise SystemExit(4)
r = subprocess.run([sys.executable, __file__, "again"], stdout=subprocess.PIPE, text=True)
print(repr(r.stdout), r.returncode)
