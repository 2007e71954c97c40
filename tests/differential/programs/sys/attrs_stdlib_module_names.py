# The lists of standard and built-in modules are the same.
import sys
print(len(sys.stdlib_module_names), len(sys.builtin_module_names), "json" in sys.stdlib_module_names)
print(sys.builtin_module_names[:5])
