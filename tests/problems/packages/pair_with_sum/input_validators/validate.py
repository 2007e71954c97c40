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
t = number(lines[0], 1, 1000)
total = 0
if len(lines) != 1 + 2 * t:
    fail("wrong number of lines")
for first, second in zip(lines[1::2], lines[2::2]):
    n, s = first.split(" ")
    total += number(n, 2, 100000)
    number(s, -2 * 10**9, 2 * 10**9)
    if len([number(word, -(10**9), 10**9) for word in second.split(" ")]) != int(n):
        fail("wrong number of numbers")
if total > 100000:
    fail("too many numbers")
sys.exit(42)
