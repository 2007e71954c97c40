# Seeded generators return their fixed numbers.
import random
random.seed(12345)
print(random.random(), random.randint(1, 100), random.choice("abcdef"), random.sample(range(50), 5), random.gauss(0, 1))
x = list(range(10))
random.shuffle(x)
print(x, random.Random("text").random(), random.Random(b"bytes").getrandbits(64))
