# A local random.py replaces the random of the standard library.
with open("random.py", "w") as f:
    f.write("def randint(a, b):\n    return 'local random'\n")
import random
print(random.randint(1, 2))
