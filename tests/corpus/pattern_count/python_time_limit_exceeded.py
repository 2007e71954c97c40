# Compares letter by letter at every position.
def main():
    text = input()
    pattern = input()
    n, m = len(text), len(pattern)
    count = 0
    for i in range(n - m + 1):
        same = 0
        for j in range(m):
            if text[i + j] == pattern[j]:
                same += 1
        count += same == m
    border = 0
    for size in range(1, m):
        if all(pattern[j] == pattern[m - size + j] for j in range(size)):
            border = size
    print(count, border)


main()
