# Floats print and round as usual, at their limits too.
import math
print(math.pi, math.e, 2**0.5, 1e308 * 10, 5e-324, 0.1, 1e23, 123456789012345680.0)
print(round(2.5), round(-0.5), round(2.675, 2), math.fsum([0.1] * 10), sum([0.1] * 10), math.sin(1), math.exp(1))
