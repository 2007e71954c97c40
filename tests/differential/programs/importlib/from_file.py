# A module is loaded from a file whose name is not an identifier.
import importlib.util
with open("some file.py", "w") as f:
    f.write("print(__name__)\ndef f():\n    raise KeyError('loaded')\n")
spec = importlib.util.spec_from_file_location("loaded_mod", "some file.py")
m = importlib.util.module_from_spec(spec)
spec.loader.exec_module(m)
try:
    m.f()
except KeyError as e:
    print(e, m.__spec__.name)
