# A matrix is read with input() after its number of rows.
n = int(input())
rows = [list(map(int, input().split())) for _ in range(n)]
print(sum(map(sum, rows)), list(zip(*rows)))
