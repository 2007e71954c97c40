# No standard descriptor is a terminal.
import os
import shutil
for fd in (0, 1, 2):
    try:
        print(os.get_terminal_size(fd))
    except OSError as e:
        print(e)
    try:
        os.ttyname(fd)
    except OSError as e:
        print(e)
print(shutil.get_terminal_size((77, 11))[1] in (11, 24))
