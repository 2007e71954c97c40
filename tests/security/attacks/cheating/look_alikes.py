# attack: print letters that look like the right ones
# contained: bytes are compared
# expect: ok
# verdict: wrong_answer
# expected: YES
# checker: tokens

print("YΕS")
