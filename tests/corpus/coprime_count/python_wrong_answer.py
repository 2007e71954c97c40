# Drops a prime factor that is left over at the end.
for _ in range(int(input())):
    n = int(input())
    phi, divisors, p = n, 1, 2
    while p * p <= n:
        power = 0
        while n % p == 0:
            n //= p
            power += 1
        if power:
            phi = phi // p * (p - 1)
            divisors *= power + 1
        p += 1
    print(phi, divisors)
