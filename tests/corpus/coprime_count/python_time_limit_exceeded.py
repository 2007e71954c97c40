# Counts one by one.
from math import gcd

for _ in range(int(input())):
    n = int(input())
    coprime = divisors = 0
    for k in range(1, n + 1):
        coprime += gcd(k, n) == 1
        divisors += n % k == 0
    print(coprime, divisors)
