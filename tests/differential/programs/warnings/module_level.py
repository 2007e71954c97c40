# A warning at module level shows its source line.
import warnings
warnings.warn("at module level")
