# The program reads its own source.
with open(__file__) as f:
    text = f.read()
print(len(text), text.splitlines()[0])
