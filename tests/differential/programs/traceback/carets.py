# Carets mark the failing part of a long expression.
data = {"a": [1, 2, {"b": None}]}
def f(d):
    return d["a"][2]["b"]["c"] + 1
f(data)
