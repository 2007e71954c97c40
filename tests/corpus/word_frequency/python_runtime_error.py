# The first time a word turns up it has no counter yet.
import re
import sys

k = int(input())
counts = {}
for word in re.findall("[a-z]+", sys.stdin.read().lower()):
    counts[word] += 1
for word in sorted(counts, key=lambda w: (-counts[w], w))[:k]:
    print(word, counts[word])
