# A failed assertion shows its message and line.
value = [1, 2, 3]
assert len(value) == 4, f"length was {len(value)}"
