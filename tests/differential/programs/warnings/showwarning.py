# A custom showwarning receives each warning.
import warnings
def show(message, category, filename, lineno, file=None, line=None):
    print(category.__name__, message, lineno)
warnings.showwarning = show
warnings.warn("custom")
