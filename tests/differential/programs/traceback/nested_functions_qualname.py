# Frames of nested functions and methods are named as usual.
class A:
    def run(self):
        def inner():
            return [self.fail(x) for x in range(2)]
        return inner()
    @staticmethod
    def fail(x):
        raise IndexError(x)
A().run()
