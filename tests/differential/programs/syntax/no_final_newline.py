# The last line needs no newline.
x = 1
if x:
    print("ok")