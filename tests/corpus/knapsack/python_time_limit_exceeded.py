# Plain recursion over take / leave, two to the power of n leaves.
def solve(i, room):
    if i == len(things):
        return 0
    best = solve(i + 1, room)
    w, v = things[i]
    if w <= room:
        best = max(best, v + solve(i + 1, room - w))
    return best


n, cap = map(int, input().split())
things = [tuple(map(int, input().split())) for _ in range(n)]
print(solve(0, cap))
