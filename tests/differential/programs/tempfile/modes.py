# Temporary files have mode 0600 and the usual descriptors.
import os
import tempfile
fd, p = tempfile.mkstemp(dir=".")
print(fd, oct(os.fstat(fd).st_mode), os.get_inheritable(fd))
with tempfile.TemporaryFile() as f:
    f.write(b"abc")
    f.seek(0)
    print(f.read(), f.name)
