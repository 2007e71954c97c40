# A parenthesis that never ends is reported where it starts.
x = (1,
y = 2
