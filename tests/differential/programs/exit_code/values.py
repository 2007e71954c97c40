# sys.exit in a child maps each kind of value to the usual exit code.
import subprocess
import sys
for code in ("255", "257", "-1", "2**31", "2**63", "-2**40", "True", "1.5", "(3,)", "[]"):
    r = subprocess.run([sys.executable, "-c", f"import sys; sys.exit({code})"], capture_output=True, text=True)
    print(code, r.returncode, r.stderr.strip())
