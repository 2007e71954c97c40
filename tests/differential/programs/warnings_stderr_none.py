import sys
import warnings
sys.stderr = None
warnings.warn("nowhere")
print("ok")
