# attack: plant sitecustomize, a .pth file or a module where every later interpreter finds it
# contained: the interpreter's folders are read-only and belong to root
# expect: ok
# stdout: contained

import site
import sys

for folder in {*site.getsitepackages(), *sys.path, "/usr/lib/python3.11", "/usr/lib/python3/dist-packages", "/opt/sandbox"}:
    if not folder or folder.startswith("/box/work"):
        continue
    for name in ("sitecustomize.py", "evil.pth", "math.py"):
        try:
            open(f"{folder}/{name}", "w").write("print('ESCAPED')")
            print("ESCAPED: wrote", folder, name)
        except OSError:
            pass
print("contained")
