# An object that a class holds is freed at exit, and so is the class.
class Meta(type):
    def __del__(cls):
        print("class freed", cls.__name__)
class A:
    def __del__(self):
        print("instance freed")
class Holder(metaclass=Meta):
    obj = A()
print("end")
