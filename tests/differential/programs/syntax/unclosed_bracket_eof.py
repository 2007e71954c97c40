# Brackets that never end before the program does are an error.
data = {
    "a": [1, 2,
