# attack: change the arguments, so that the expected value computed from them is wrong, too
# contained: expected values are computed beforehand
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

def solve(*arguments):
    for argument in arguments:
        if isinstance(argument, list):
            argument.clear()
    return 0
