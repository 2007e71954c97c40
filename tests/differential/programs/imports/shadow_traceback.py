# A local traceback.py replaces the standard one, so print_exc is missing.
with open("traceback.py", "w") as f:
    f.write("x = 1\n")
import traceback
print(traceback.x)
traceback.print_exc()
