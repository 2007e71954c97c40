# A warning is recorded inside catch_warnings and shown after it.
import warnings
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    warnings.warn("caught")
    print(len(w), w[0].message, w[0].lineno)
warnings.warn("shown")
