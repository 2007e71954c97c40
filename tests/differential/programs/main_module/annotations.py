# Annotations of the module and of a function are kept, quoted ones as strings.
x: int = 1
y: "undefined_name"
def f(a: int, *b: str) -> None: ...
print(__annotations__)
print(f.__annotations__)
