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
n = number(lines[0], 2, 60000)
if len(lines) != n + 1:
    fail("wrong number of lines")
for line in lines[1:]:
    if len([number(word, -(10**6), 10**6) for word in line.split(" ")]) != 2:
        fail(f"{line!r} is not a point")
sys.exit(42)
