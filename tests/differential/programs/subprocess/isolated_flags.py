# Children get no interpreter flags that the program was not started with.
import subprocess
import sys
print(subprocess._args_from_interpreter_flags())
print(subprocess.run([sys.executable, "-c", "import sys; print(sys.flags.isolated, sys.flags.no_site)"], capture_output=True, text=True).stdout)
