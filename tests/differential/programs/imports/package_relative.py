# Relative imports work inside a package and its subpackage.
import os
os.makedirs("pkg/sub")
for name, text in {"pkg/__init__.py": "from .a import A\n", "pkg/a.py": "from . import sub\nA = sub.__name__\n", "pkg/sub/__init__.py": "from ..sub import b\n", "pkg/sub/b.py": "print(__name__, __package__)\n"}.items():
    with open(name, "w") as f:
        f.write(text)
import pkg
print(pkg.A, pkg.sub.b.__name__, [os.path.basename(p) for p in pkg.__path__])
