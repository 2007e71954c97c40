# Compares each word with each other word, letter by letter.
import sys


def same(a, b):
    if len(a) != len(b):
        return False
    for x, y in zip(a, b):
        if x.lower() != y.lower():
            return False
    return True


def main():
    k = int(input())
    text = sys.stdin.read()
    words = "".join(ch if ch.isalpha() else " " for ch in text).split()
    counts = {}
    for w in words:
        counts[w.lower()] = sum(same(w, other) for other in words)
    for w in sorted(counts, key=lambda w: (-counts[w], w))[:k]:
        print(w, counts[w])


main()
