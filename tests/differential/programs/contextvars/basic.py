# The context starts empty, and a thread does not see the main thread's variables.
import contextvars
import threading
v = contextvars.ContextVar("v", default="default")
print(len(contextvars.copy_context()), list(contextvars.copy_context()))
v.set("main")
t = threading.Thread(target=lambda: print("thread", v.get()))
t.start()
t.join()
contextvars.copy_context().run(v.set, "inner")
print(v.get())
