def main():
    text = input().strip()
    pattern = input().strip()
    m = len(pattern)
    border = [0] * (m + 1)
    k = 0
    for i in range(1, m):
        while k and pattern[i] != pattern[k]:
            k = border[k]
        if pattern[i] == pattern[k]:
            k += 1
        border[i + 1] = k
    count = k = 0
    for ch in text:
        while k and (k == m or pattern[k] != ch):
            k = border[k]
        if pattern[k:k + 1] == ch:
            k += 1
        if k == m:
            count += 1
    print(count, border[m])


main()
