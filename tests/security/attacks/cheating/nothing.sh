# attack: print nothing and exit with success
# contained: an empty output is not an answer
# expect: ok
# verdict: wrong_answer
# expected: 0
# checker: float

exit 0
