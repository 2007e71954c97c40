for _ in range(int(input())):
    n, s = map(int, input().split())
    numbers = set(map(int, input().split()))
    print("yes" if any(s - a in numbers for a in numbers) else "no")
