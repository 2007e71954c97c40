# The exception classes have the subclasses of a new interpreter.
print(sorted(c.__name__ for c in OSError.__subclasses__()))
print(sorted(f"{c.__module__}.{c.__name__}" for c in BaseException.__subclasses__()))
print(sorted(f"{c.__module__}.{c.__name__}" for c in ValueError.__subclasses__()))
