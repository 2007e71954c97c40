# attack: print digits of other scripts, which Python's float() accepts
# contained: numbers are ASCII
# expect: ok
# verdict: wrong_answer
# expected: 42.0
# checker: float

print("٤٢.0")
