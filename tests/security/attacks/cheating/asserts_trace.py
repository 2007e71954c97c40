# attack: skip the asserts with a trace function that moves the current line
# contained: a test passes only if it reports its end with a nonce that the program does not know
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import sys


def trace(frame, event, argument):
    if event == "line" and "assert" in str(frame.f_code.co_name):
        frame.f_lineno += 1
    return trace


sys.settrace(trace)


def solve(*arguments):
    return None
