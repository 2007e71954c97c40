import sys
sys.excepthook = lambda t, v, tb: print("hook got", t.__name__)
raise KeyboardInterrupt
