# Fast exponentiation with the coefficients taken in the wrong direction.
MOD = 1000000007
k, n = map(int, input().split())
start = list(map(int, input().split()))
coef = list(map(int, input().split()))
step = [[int(j == i + 1) for j in range(k)] for i in range(k - 1)] + [coef]


def times(a, b):
    return [[sum(a[i][t] * b[t][j] for t in range(k)) % MOD for j in range(k)] for i in range(k)]


power = [[int(i == j) for j in range(k)] for i in range(k)]
while n:
    if n % 2:
        power = times(power, step)
    step = times(step, step)
    n //= 2
print(sum(p * s for p, s in zip(power[0], start)) % MOD)
