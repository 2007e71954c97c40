# attack: print nothing and exit well
# contained: an empty output is no answer
# expect: ok
# verdict: wrong_answer
# expected: 0
# checker: float

exit 0
