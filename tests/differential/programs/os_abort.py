import os
print("lost in buffer")
os.abort()
