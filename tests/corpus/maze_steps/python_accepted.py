import sys


def main():
    lines = sys.stdin.read().split()
    rows, cols = int(lines[0]), int(lines[1])
    wide = cols + 2
    cells = "#" * wide + "".join("#" + row + "#" for row in lines[2:2 + rows]) + "#" * wide
    start, goal = cells.index("S"), cells.index("E")
    free = [ch != "#" for ch in cells]
    free[start] = False
    layer = [start]
    steps = 0
    while layer:
        if goal in layer:
            print(steps)
            return
        steps += 1
        following = []
        for at in layer:
            for to in (at - 1, at + 1, at - wide, at + wide):
                if free[to]:
                    free[to] = False
                    following.append(to)
        layer = following
    print(-1)


main()
