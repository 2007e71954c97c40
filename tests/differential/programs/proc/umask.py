# The file mode mask is that of a plain start.
import os
old = os.umask(0)
os.umask(old)
print(oct(old))
open("f", "w").close()
os.mkdir("d")
print(oct(os.stat("f").st_mode), oct(os.stat("d").st_mode))
