# attack: request files that exceed the limit in total
# contained: files beyond the limit are left out
# expect: ok
# fetch: ["a", "b", "c", "d"]

for name in "abcd":
    with open(name, "wb") as file:
        file.truncate(15 << 20)
