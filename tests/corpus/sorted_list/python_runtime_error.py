# Quicksort with the first element as pivot: sorted input recurses too deep.
def quick(a):
    if len(a) < 2:
        return a
    pivot = a[0]
    rest = a[1:]
    return quick([x for x in rest if x < pivot]) + [pivot] + quick([x for x in rest if x >= pivot])


n = int(input())
values = list(map(int, input().split()))
print(sum(values))
print(*quick(values))
