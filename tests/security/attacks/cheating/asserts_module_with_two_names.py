# attack: return a module that reports a different name each time, as an object of a lying class
# contained: only the test's source determines which module it uses
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import types


class Name(str):
    def partition(self, separator):
        return ("math", "", "")


class Liar(types.ModuleType):
    names = iter(["math", "pytest.__main__", "this", "antigravity"] * 1000)

    @property
    def __name__(self):
        return Name(next(self.names))

    def __call__(self, *arguments):
        return 0


solve = Liar("math")
