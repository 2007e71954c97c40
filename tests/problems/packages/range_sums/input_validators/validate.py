import sys

text = sys.stdin.read()


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(43)


def number(word, low, high):
    if not (word.lstrip("-").isdigit() and str(int(word)) == word and low <= int(word) <= high):
        fail(f"{word!r} is not a number from {low} to {high}")
    return int(word)


if not text.endswith("\n"):
    fail("the last line does not end")
lines = text[:-1].split("\n")
n, q = (number(word, 1, 100000) for word in lines[0].split(" "))
if len(lines) != q + 2 or len([number(word, -(10**9), 10**9) for word in lines[1].split(" ")]) != n:
    fail("wrong number of lines or numbers")
for line in lines[2:]:
    left, right = (number(word, 1, n) for word in line.split(" "))
    if left > right:
        fail(f"{line!r} is not a range")
sys.exit(42)
