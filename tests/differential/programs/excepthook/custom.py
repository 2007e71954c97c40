# A custom exception hook receives the type, value and traceback.
import sys
def hook(t, v, tb):
    print("custom:", t.__name__, v, tb.tb_lineno, tb.tb_next)
sys.excepthook = hook
raise ValueError("x")
