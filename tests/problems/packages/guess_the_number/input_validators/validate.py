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
if len(lines) != 1 or len(lines[0].split(" ")) != 2:
    fail("wrong number of lines or words")
n = number(lines[0].split(" ")[0], 1, 10**6)
number(lines[0].split(" ")[1], 1, n)
sys.exit(42)
