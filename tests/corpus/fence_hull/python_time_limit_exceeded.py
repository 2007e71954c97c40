# Gift wrapping that stops only when it meets the very first index again; equal spots confuse it.
import math


def main():
    n = int(input())
    pts = [tuple(map(int, input().split())) for _ in range(n)]
    start = max(range(n), key=lambda i: (-pts[i][0], -pts[i][1], i))
    length = area = 0.0
    here = start
    while True:
        nxt = -1
        for i in range(n):
            if pts[i] == pts[here]:
                continue
            if nxt < 0:
                nxt = i
                continue
            ax, ay = pts[nxt][0] - pts[here][0], pts[nxt][1] - pts[here][1]
            bx, by = pts[i][0] - pts[here][0], pts[i][1] - pts[here][1]
            turn = ax * by - ay * bx
            if turn < 0 or turn == 0 and bx * bx + by * by > ax * ax + ay * ay:
                nxt = i
        if nxt < 0:
            break
        length += math.dist(pts[here], pts[nxt])
        area += pts[here][0] * pts[nxt][1] - pts[here][1] * pts[nxt][0]
        here = nxt
        if here == start:
            break
    print(length, area / 2)


main()
