# exec inherits the __future__ import of the program.
from __future__ import annotations
exec("def f(a: undefined_name): pass\nprint(f.__annotations__)")
