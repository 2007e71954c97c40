# Stores the whole table of counts again after each word.
import re
import sys

k = int(input())
history = [{}]
for word in re.findall("[a-z]+", sys.stdin.read().lower()):
    table = dict(history[-1])
    table[word] = table.get(word, 0) + 1
    history.append(table)
final = history[-1]
for word in sorted(final, key=lambda w: (-final[w], w))[:k]:
    print(word, final[word])
