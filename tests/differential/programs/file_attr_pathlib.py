from pathlib import Path
p = Path(__file__)
print(p.name, p.suffix, p.parent == Path.cwd(), p.resolve() == Path("main.py").resolve())
print(Path.cwd().is_dir(), p.is_symlink())
