# A missing colon is an error with its own message.
if True
    print(1)
