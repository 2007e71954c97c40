# attack: correct a wrong answer with backspaces and carriage returns
# contained: control characters are ordinary bytes
# expect: ok
# verdict: wrong_answer
# expected: 7
# checker: lines

print("8\b7\r7")
