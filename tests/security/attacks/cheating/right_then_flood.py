# attack: print the right answer and then more than is kept, so that a cut output would match
# contained: an output over its limit is never compared
# expect: output_limit_exceeded
# verdict: output_limit_exceeded
# expected: 7
# checker: tokens

print(7)
print(" " * 1_000_000)
