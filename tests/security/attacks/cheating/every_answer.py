# attack: print every possible answer
# contained: the whole output must be right
# expect: ok
# verdict: wrong_answer
# expected: 37
# checker: tokens

for answer in range(100):
    print(answer)
