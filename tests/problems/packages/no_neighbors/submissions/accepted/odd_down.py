n = int(input())
if n in (2, 3):
    print(-1)
elif n == 4:
    print("3 1 4 2")
else:
    print(*range(1, n + 1, 2), *range(2, n + 1, 2))
