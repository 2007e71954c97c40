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
n, m = (number(word, 0, 60000) for word in lines[0].split(" "))
number(str(n), 1, 20000)
if len(lines) != m + 1:
    fail("wrong number of lines")
for line in lines[1:]:
    words = line.split(" ")
    if len(words) != 3:
        fail(f"{line!r} is not a road")
    number(words[0], 1, n)
    number(words[1], 1, n)
    number(words[2], 1, 10**9)
sys.exit(42)
