# interrupt_main() ends the main thread with KeyboardInterrupt.
import _thread
import time
_thread.interrupt_main()
time.sleep(1)
print("not reached")
