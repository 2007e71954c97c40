# print does nothing when sys.stdout is None.
import sys
sys.stdout = None
print("goes nowhere")
sys.stderr.write("fine\n")
