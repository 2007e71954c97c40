import sys

with open(sys.argv[1]) as file:
    n, chosen = map(int, file.read().split())


def reject(message):
    with open(sys.argv[3] + "judgemessage.txt", "w") as file:
        file.write(message)
    sys.exit(43)


print(n, flush=True)
for question in range(21):
    words = sys.stdin.readline().split()
    if len(words) != 2 or words[0] not in {"?", "!"} or not words[1].isdecimal() or not 1 <= int(words[1]) <= n:
        reject(f"{' '.join(words)[:50]!r} is not a question or an answer")
    guess = int(words[1])
    if words[0] == "!":
        sys.exit(42) if guess == chosen else reject(f"the number is {chosen}, not {guess}")
    if question == 20:
        reject("more than 20 questions")
    print("less" if chosen < guess else "greater" if chosen > guess else "equal", flush=True)
