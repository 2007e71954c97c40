# Strings have the same hash in child interpreters when the seed is fixed.
import subprocess
import sys
code = "print(hash('some text'))"
a = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
b = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
print(a == b == f"{hash('some text')}\n" if sys.flags.hash_randomization == 0 else True)
