import sys


def main():
    data = sys.stdin.read().split()
    n, q = int(data[0]), int(data[1])
    tree = [0] * n + [int(x) for x in data[2:n + 2]]
    for i in range(n - 1, 0, -1):
        tree[i] = min(tree[2 * i], tree[2 * i + 1])
    out = []
    for k in range(n + 2, n + 2 + 3 * q, 3):
        a, b = int(data[k + 1]), int(data[k + 2])
        if data[k] == "U":
            a += n - 1
            tree[a] = b
            while a > 1:
                a >>= 1
                left, right = tree[2 * a], tree[2 * a + 1]
                tree[a] = left if left < right else right
        else:
            a += n - 1
            b += n
            best = tree[a]
            while a < b:
                if a & 1:
                    if tree[a] < best:
                        best = tree[a]
                    a += 1
                if b & 1:
                    b -= 1
                    if tree[b] < best:
                        best = tree[b]
                a >>= 1
                b >>= 1
            out.append(best)
    print("\n".join(map(str, out)))


main()
