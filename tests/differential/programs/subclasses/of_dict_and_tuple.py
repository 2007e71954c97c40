# dict and int have the subclasses of a new interpreter.
print(sorted(f"{c.__module__}.{c.__name__}" for c in dict.__subclasses__()))
print(sorted(f"{c.__module__}.{c.__name__}" for c in int.__subclasses__()))
