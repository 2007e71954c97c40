# Crosses out multiples in a table as long as N.
for _ in range(int(input())):
    n = int(input())
    free = bytearray(b"\x01") * (n + 1)
    free[0] = 0
    rest, divisors = n, 1
    p = 2
    while rest > 1:
        if p * p > rest:
            p = rest
        power = 0
        while rest % p == 0:
            rest //= p
            power += 1
        if power:
            divisors *= power + 1
            free[p::p] = bytes(n // p)
        p += 1
    print(sum(free), divisors)
