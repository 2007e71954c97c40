# os._exit loses the text of a file that is not closed.
import os
pid = os.fork()
if pid == 0:
    f = open("data.txt", "w")
    f.write("lost")
    os._exit(0)
os.waitpid(pid, 0)
print(repr(open("data.txt").read()))
