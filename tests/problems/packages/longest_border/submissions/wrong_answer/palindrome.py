word = input()
print(len(word) - 1 if word == word[::-1] else 0)
