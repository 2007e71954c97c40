word = input()
print(next((k for k in range(1, min(len(word), 1000)) if word[:k] == word[-k:]), 0))
