# Sorts the words, not the numbers.
n = int(input())
words = input().split()
print(sum(int(w) for w in words))
print(" ".join(sorted(words)))
