# A deprecation is hidden in a module and shown where main.py is to blame.
with open("lib_mod.py", "w") as f:
    f.write("import warnings\ndef f():\n    warnings.warn('hidden in lib', DeprecationWarning)\ndef g():\n    warnings.warn('blames the caller', DeprecationWarning, stacklevel=2)\n")
import lib_mod
lib_mod.f()
lib_mod.g()
