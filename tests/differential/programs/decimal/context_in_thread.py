# A thread starts with the default decimal context, not with the main thread's.
import decimal
import threading
decimal.getcontext().prec = 4
t = threading.Thread(target=lambda: print(decimal.getcontext().prec, decimal.DefaultContext.prec))
t.start()
t.join()
print(decimal.getcontext().prec)
