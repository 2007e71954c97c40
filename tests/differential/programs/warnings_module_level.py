import warnings
warnings.warn("at module level")
