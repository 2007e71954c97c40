# attack: split tokens with blanks that only Unicode calls so
# contained: only ASCII white space splits
# expect: ok
# verdict: wrong_answer
# expected: 1 2
# checker: tokens

print("1\u00a02")
