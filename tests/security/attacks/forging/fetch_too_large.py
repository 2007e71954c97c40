# attack: have more fetched than the limit, in pieces
# contained: what is over the limit is left out
# expect: ok
# fetch: ["a", "b", "c", "d"]

for name in "abcd":
    with open(name, "wb") as file:
        file.truncate(15 << 20)
