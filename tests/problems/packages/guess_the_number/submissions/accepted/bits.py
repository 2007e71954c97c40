n = int(input())
found = 0
for bit in reversed(range(20)):
    if found + (1 << bit) <= n:
        print("?", found + (1 << bit), flush=True)
        if input() != "less":
            found += 1 << bit
print("!", found, flush=True)
