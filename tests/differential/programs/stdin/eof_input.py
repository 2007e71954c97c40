# input() on an empty standard input raises EOFError.
input()
