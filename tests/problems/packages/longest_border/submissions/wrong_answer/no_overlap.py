word = input()
print(max(k for k in range(min(len(word) // 2, 1000) + 1) if word[:k] == word[len(word) - k :]))
