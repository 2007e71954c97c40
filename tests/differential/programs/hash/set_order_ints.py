# Sets of numbers and of tuples print in their fixed order.
print({5, 3, 1, 100, 33, 8}, set(range(20, 0, -3)), {i * i for i in range(12)})
print({(1, 2), (0, 1), (5, 5)}, frozenset([9, 1, 17]))
