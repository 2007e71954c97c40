# Numbers and tuples of numbers have their fixed hashes.
print([hash(n) for n in (0, 1, -1, -2, 2**61 - 1, 2**61, 10**30, 1.5, 0.1, float("inf"), True, 3 + 4j)])
print(hash((1, 2, 3)), hash(()), hash(frozenset({1, 2, 3})), hash(range(5)))
