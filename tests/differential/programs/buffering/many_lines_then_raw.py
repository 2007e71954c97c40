# A raw write lands between lines where the text buffer was last flushed.
import os
for i in range(2000):
    print("line", i)
os.write(1, b"<raw>\n")
