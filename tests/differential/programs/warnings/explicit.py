# Explicit warnings name the given file and line.
import warnings
warnings.warn_explicit("explicit", UserWarning, "other.py", 12, "other")
warnings.warn_explicit("explicit", DeprecationWarning, "other.py", 13, "__main__")
