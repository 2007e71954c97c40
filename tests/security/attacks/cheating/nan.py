# attack: print NaN, which some comparisons treat as equal to everything
# contained: NaN agrees with NaN only
# expect: ok
# verdict: wrong_answer
# expected: 3.5
# checker: float

print("nan")
