# The trial loop starts at nought.
for _ in range(int(input())):
    n = int(input())
    phi, divisors = n, 1
    for p in range(int(n ** 0.5) + 1):
        power = 0
        while n > 1 and n % p == 0:
            n //= p
            power += 1
        if power:
            phi -= phi // p
            divisors *= power + 1
    if n > 1:
        phi -= phi // n
        divisors *= 2
    print(phi, divisors)
