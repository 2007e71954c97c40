# Assorted settings of sys have their defaults.
import sys
print(sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.dont_write_bytecode, sys.pycache_prefix, sys._xoptions, sys.warnoptions)
print(sys.gettrace(), sys.getprofile(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth(), sys.is_finalizing())
print(sys.platlibdir, sys.float_repr_style, sys._git[0], sys.copyright.splitlines()[0][:13])
