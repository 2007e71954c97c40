# attack: find secrets in the environment
# contained: a program's environment contains only six harmless variables
# expect: ok
# stdout: contained

import os

known = {"PATH", "LANG", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "HOME", "LC_CTYPE", "PWD", "SHLVL", "_"}
print("contained" if set(os.environ) <= known else f"ESCAPED {set(os.environ) - known}")
