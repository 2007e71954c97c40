# attack: split tokens with characters that are blanks only in Unicode
# contained: only ASCII white space splits
# expect: ok
# verdict: wrong_answer
# expected: 1 2
# checker: tokens

print("1\u00a02")
