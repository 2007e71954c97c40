# A warning goes nowhere when sys.stderr is None.
import sys
import warnings
sys.stderr = None
warnings.warn("nowhere")
print("ok")
