# attack: return an object that equals everything
# contained: an answer's type is checked before it is compared
# expect: wrong_answer
# uses: asserts

class Anything:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __bool__(self):
        return True


def solve(*arguments):
    return Anything()
