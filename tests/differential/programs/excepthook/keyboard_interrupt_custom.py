# A custom hook receives KeyboardInterrupt, and the exit status stays that of an interrupt.
import sys
sys.excepthook = lambda t, v, tb: print("hook got", t.__name__)
raise KeyboardInterrupt
