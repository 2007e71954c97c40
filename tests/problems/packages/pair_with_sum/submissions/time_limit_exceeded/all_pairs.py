for _ in range(int(input())):
    n, s = map(int, input().split())
    a = list(map(int, input().split()))
    print("yes" if any(a[i] + a[j] == s for i in range(n) for j in range(i)) else "no")
