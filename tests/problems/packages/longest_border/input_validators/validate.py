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
if len(lines) != 1 or not 1 <= len(lines[0]) <= 200000 or set(lines[0]) - set("abcdefghijklmnopqrstuvwxyz"):
    fail("not a word")
sys.exit(42)
