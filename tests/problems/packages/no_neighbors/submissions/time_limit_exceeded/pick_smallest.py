n = int(input())
left, order = list(range(1, n + 1)), []
if n in (2, 3):
    print(-1)
else:
    for number in [*range(2, n + 1, 2), *range(1, n + 1, 2)]:
        assert sum(other == number for other in left) == 1
        left.remove(number)
        order.append(number)
    print(*order)
