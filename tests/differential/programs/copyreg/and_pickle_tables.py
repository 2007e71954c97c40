# The pickle dispatch and extension tables are those of a new interpreter.
import copyreg
import pickle
print(sorted(t.__name__ for t in copyreg.dispatch_table), copyreg._extension_registry, pickle.DEFAULT_PROTOCOL)
