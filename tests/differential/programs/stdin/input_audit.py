# input() raises an audit event with its prompt.
import sys
sys.addaudithook(lambda e, a: print(e, a) if e.startswith("builtins.input") else None)
input("ask")
