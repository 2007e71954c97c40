# A frame keeps its locals until clear() is called.
import sys
def f():
    x = 1
    raise ValueError
try:
    f()
except ValueError as e:
    fr = e.__traceback__.tb_next.tb_frame
print(fr.f_locals, fr.f_back.f_code.co_name)
fr.clear()
print(fr.f_locals)
