# A finalizer that runs at exit can no longer import a module.
class A:
    def __del__(self):
        try:
            import colorsys
            print("imported", colorsys.__name__)
        except ImportError as e:
            print("ImportError", e)
a = A()
