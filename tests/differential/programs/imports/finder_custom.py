# A custom finder is asked first and provides a module.
import importlib.abc
import importlib.util
import sys
class F(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        print("find", name)
        if name == "made_up":
            return importlib.util.spec_from_loader(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, m):
        m.value = 9
sys.meta_path.insert(0, F())
import made_up
import colorsys
print(made_up.value)
