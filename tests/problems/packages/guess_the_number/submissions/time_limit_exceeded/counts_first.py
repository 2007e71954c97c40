low, high = 1, int(input())
while sum(number % 3 for number in range(high * 40)) and low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    if input() == "greater":
        low = middle + 1
    else:
        high = middle
print("!", low, flush=True)
