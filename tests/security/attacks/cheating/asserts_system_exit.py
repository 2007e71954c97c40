# attack: raise SystemExit(0) from the function under test
# contained: an exit does not pass the test
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

def solve(*arguments):
    raise SystemExit(0)
