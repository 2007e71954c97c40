import code
x = "value of x"
code.interact(banner="hi", exitmsg="bye", local=globals())
print("after")
