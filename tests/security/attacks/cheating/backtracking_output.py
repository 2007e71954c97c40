# attack: print what drives the test's regular expression into backtracking, so that no verdict is reached
# contained: matching has a time limit, and the output that exceeds it is wrong
# expect: ok
# verdict: wrong_answer
# expected: (\w+\s?)*:
# checker: regex

print("word " * 50 + "-")
