import sys


def read(path):
    with open(path) as file:
        return file.read().split()


def reject(message):
    with open(sys.argv[3] + "judgemessage.txt", "w") as file:
        file.write(message)
    sys.exit(43)


n, answer, output = int(read(sys.argv[1])[0]), read(sys.argv[2]), sys.stdin.read().split()
if answer == ["-1"] or output == ["-1"]:
    if answer != ["-1"]:
        reject("there is an order, but the output is -1")
    sys.exit(42) if output == ["-1"] else reject("there is no order")
if not all(word.isascii() and word.isdecimal() and len(word) < 9 for word in output):
    reject("not a list of numbers")
order = list(map(int, output))
if sorted(order) != list(range(1, n + 1)):
    reject(f"not each of 1 to {n} exactly once")
for a, b in zip(order, order[1:]):
    if abs(a - b) == 1:
        reject(f"{a} and {b} are neighbors")
sys.exit(42)
