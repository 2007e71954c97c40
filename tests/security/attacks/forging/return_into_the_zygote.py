# attack: unwind or return into the warm interpreter's own loop, to answer for the zygote or to serve the next run
# contained: the child has no descriptor of the zygote, and an exception ends only the child itself
# expect: runtime_error, ok

gc = __import__("g" + "c")
import os

for thing in gc.get_objects():
    if type(thing).__name__ in ("Zygote", "Interpreter", "HiddenFrameCall", "socket") and hasattr(thing, "__dict__"):
        for name, value in list(vars(thing).items()):
            print("found", name, type(value))
if os.fork() == 0:
    raise SystemExit("twice")
raise KeyboardInterrupt
