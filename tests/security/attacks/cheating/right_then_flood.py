# attack: print the right answer and then more than is stored, so that a truncated output would match
# contained: an output over its limit is never compared
# expect: output_limit_exceeded
# verdict: output_limit_exceeded
# expected: 7
# checker: tokens

print(7)
print(" " * 1_000_000)
