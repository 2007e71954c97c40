# attack: print millions of brackets, which take the judge far longer to parse than the program to print
# contained: parts are counted before parsing, and an output with more than the expected value can have is wrong
# expect: ok
# limits: {"output_kb": 16384, "memory_mb": 256}
# verdict: wrong_answer
# expected: [1, [2, 3]]
# checker: json

print("[" * 8_000_000 + "]" * 8_000_000)
