# pathlib resolves __file__ to main.py, which is no symbolic link.
from pathlib import Path
p = Path(__file__)
print(p.name, p.suffix, p.parent == Path.cwd(), p.resolve() == Path("main.py").resolve())
print(Path.cwd().is_dir(), p.is_symlink())
