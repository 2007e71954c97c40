MOD = 1000000007


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, col)) % MOD for col in columns] for row in a]


def main():
    k, n = map(int, input().split())
    start = list(map(int, input().split()))
    coef = list(map(int, input().split()))
    step = [coef] + [[int(i == j) for j in range(k)] for i in range(k - 1)]
    state = [[v] for v in reversed(start)]
    while n:
        if n & 1:
            state = multiply(step, state)
        step = multiply(step, step)
        n >>= 1
    print(state[-1][0] % MOD)


main()
