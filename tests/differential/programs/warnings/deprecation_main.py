# main.py shows deprecations and hides the other quiet categories.
import warnings
warnings.warn("shown in main", DeprecationWarning)
warnings.warn("hidden", PendingDeprecationWarning)
warnings.warn("hidden", ImportWarning)
warnings.warn("hidden", ResourceWarning)
warnings.warn("shown", FutureWarning)
