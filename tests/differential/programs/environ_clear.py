import os
os.environ.clear()
print(len(os.environ), os.system("test -z \"$HOME\""))
