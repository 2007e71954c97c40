# attack: be a module that says another name each time it is asked, as an object of a lying class
# contained: which module a test uses follows from the test's source alone
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
