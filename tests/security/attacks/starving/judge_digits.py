# attack: print a long run of digits that is not a number, which a careless pattern reads once for each digit
# contained: every token is read once
# expect: ok
# limits: {"output_kb": 16384, "memory_mb": 256}
# verdict: wrong_answer
# expected: 3.5
# checker: float

print("7" * 60_000 + "x")
