word = input()
links = [0] * len(word)
length = 0
for i in range(1, len(word)):
    while length and word[i] != word[length]:
        length = links[length - 1]
    if word[i] == word[length]:
        length += 1
    links[i] = length
print(links[-1])
