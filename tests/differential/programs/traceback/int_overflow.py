# Numbers and sizes that are too large raise the usual errors.
import math
for f in (lambda: math.exp(1000), lambda: 10.0 ** 400, lambda: int(float("inf")), lambda: chr(-1), lambda: [0] * (2**62)):
    try:
        f()
    except (OverflowError, ValueError, MemoryError) as e:
        print(type(e).__name__, e)
"x" * (2**63)
