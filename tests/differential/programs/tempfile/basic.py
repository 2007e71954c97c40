# A temporary directory has mode 0700 and is removed.
import os
import tempfile
with tempfile.TemporaryDirectory() as d:
    p = os.path.join(d, "f")
    with open(p, "w") as f:
        f.write("x")
    print(oct(os.stat(d).st_mode), oct(os.stat(p).st_mode), os.listdir(d))
print(os.path.exists(d), tempfile.gettempprefix(), tempfile.tempdir is None)
