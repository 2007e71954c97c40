# An object stored on the builtins module is freed very late at exit.
import builtins
import os
class A:
    def __del__(self, write=os.write):
        write(1, b"del on builtins\n")
builtins.my_object = A()
print("end")
