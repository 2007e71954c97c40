# Exception, str and float have the subclasses of a new interpreter.
print(len(Exception.__subclasses__()), sorted(c.__name__ for c in Exception.__subclasses__()))
print(sorted(c.__name__ for c in str.__subclasses__()), sorted(c.__name__ for c in float.__subclasses__()))
