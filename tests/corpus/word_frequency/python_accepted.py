import re
import sys
from collections import Counter

k = int(sys.stdin.readline())
counts = Counter(re.findall("[a-z]+", sys.stdin.read().lower()))
ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
for word, count in ranking[:k]:
    print(word, count)
