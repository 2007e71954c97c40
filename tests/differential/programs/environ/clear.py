# After os.environ.clear() a shell sees no HOME.
import os
os.environ.clear()
print(len(os.environ), os.system("test -z \"$HOME\""))
