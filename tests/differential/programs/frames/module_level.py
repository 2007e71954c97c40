# The module's frame has no caller, and its locals are the globals.
import sys
fr = sys._getframe()
print(fr.f_back, fr.f_code.co_name, fr.f_lineno, fr.f_globals is globals(), fr.f_locals is fr.f_globals)
print(fr.f_builtins is vars(__builtins__), fr.f_trace, fr.f_lasti >= 0)
