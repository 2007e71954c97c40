import math
import sys


def chain(points):
    out = []
    for p in points:
        while len(out) > 1:
            (ax, ay), (bx, by) = out[-2], out[-1]
            if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                break
            out.pop()
        out.append(p)
    return out[:-1]


def main():
    data = list(map(int, sys.stdin.read().split()))
    points = sorted(set(zip(data[1::2], data[2::2])))
    hull = chain(points) + chain(points[::-1])
    length = area = 0.0
    for (ax, ay), (bx, by) in zip(hull, hull[1:] + hull[:1]):
        length += math.hypot(bx - ax, by - ay)
        area += ax * by - ay * bx
    print(f"{length:.9f} {abs(area) / 2:.9f}")


main()
