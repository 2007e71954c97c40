# attack: print underscores in numbers, which Python's float() accepts
# contained: they are not numbers
# expect: ok
# verdict: wrong_answer
# expected: 1000.5
# checker: float

print("1_000.5")
