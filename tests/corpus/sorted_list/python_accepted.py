import sys

data = sys.stdin.buffer.read().split()
values = sorted(map(int, data[1:]))
sys.stdout.write(f"{sum(values)}\n")
sys.stdout.write(" ".join(map(str, values)) + "\n")
