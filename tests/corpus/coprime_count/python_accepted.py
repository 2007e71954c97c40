def solve(n):
    phi = n
    divisors = 1
    p = 2
    while p * p <= n:
        if n % p == 0:
            power = 0
            while n % p == 0:
                n //= p
                power += 1
            phi -= phi // p
            divisors *= power + 1
        p += 1 + (p & 1)
    if n > 1:
        phi -= phi // n
        divisors *= 2
    return phi, divisors


for _ in range(int(input())):
    print(*solve(int(input())))
