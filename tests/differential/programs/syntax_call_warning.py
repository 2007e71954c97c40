try:
    x = "text" (1)
except TypeError as e:
    print(e)
