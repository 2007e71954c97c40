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
k, s = (number(word, 0, 30000) for word in lines[0].split(" "))
number(str(k), 1, 20)
values = [number(word, 1, 10000) for word in lines[1].split(" ")]
if len(lines) != 2 or len(values) != k or len(set(values)) != k:
    fail("wrong values")
sys.exit(42)
