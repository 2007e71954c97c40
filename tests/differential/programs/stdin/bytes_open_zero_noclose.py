# open(0) that keeps the descriptor reads all, and input() meets the end.
data = open(0, "rb", closefd=False).read()
print(data)
try:
    input()
except EOFError as e:
    print("EOF", e)
