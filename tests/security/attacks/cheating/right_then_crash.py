# attack: print the right answer, then fail
# contained: a program must exit with success
# expect: runtime_error
# verdict: runtime_error
# expected: 7
# checker: tokens

print(7, flush=True)
raise SystemExit(1)
