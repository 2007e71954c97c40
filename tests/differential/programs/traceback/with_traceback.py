# An exception raised again without its traceback starts a new one.
import sys
try:
    1 / 0
except ZeroDivisionError as e:
    tb = e.__traceback__
    saved = e
print(tb.tb_lineno, tb.tb_next, tb.tb_frame is sys._getframe())
raise saved.with_traceback(None)
