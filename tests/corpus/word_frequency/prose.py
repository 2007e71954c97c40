import random
import sys

count, seed = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
words = ["".join(rng.choice("aeioubdklmnrst") for _ in range(rng.randrange(1, 7))) for _ in range(3000)]
print(40)
line = []
for _ in range(count):
    word = words[min(rng.randrange(3000), rng.randrange(3000))]
    line.append(rng.choice([word, word, word.upper(), word.title()]) + rng.choice(["", "", "", ",", ".", " 7"]))
    if len(line) == 12:
        print(" ".join(line))
        line = []
print(" ".join(line))
