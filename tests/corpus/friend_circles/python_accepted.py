import sys


def main():
    lines = sys.stdin.read().split("\n")
    n, q = map(int, lines[0].split())
    parent = list(range(n + 1))
    size = [1] * (n + 1)
    circles = n
    out = []

    def find(x):
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for line in lines[1:q + 1]:
        words = line.split()
        if words[0] == "J":
            a, b = find(int(words[1])), find(int(words[2]))
            if a != b:
                if size[a] < size[b]:
                    a, b = b, a
                parent[b] = a
                size[a] += size[b]
                circles -= 1
        elif words[0] == "S":
            out.append(size[find(int(words[1]))])
        else:
            out.append(circles)
    print("\n".join(map(str, out)))


main()
