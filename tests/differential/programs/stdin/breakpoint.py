# breakpoint() reads debugger commands from standard input and goes on.
import os
os.dup2(2, 1)
x = 5
breakpoint()
y = x + 1
print("done", y)
