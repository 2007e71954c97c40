# An interactive console runs lines of standard input and prints an error.
import code
x = "value of x"
code.interact(banner="hi", exitmsg="bye", local=globals())
print("after")
