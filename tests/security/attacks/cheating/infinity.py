# attack: print a number too large for a double
# contained: an overflow is not an infinity and not an answer
# expect: ok
# verdict: wrong_answer
# expected: inf
# checker: float

print("1e400")
