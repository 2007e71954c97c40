# open() is gone in a finalizer that runs at exit.
class A:
    def __del__(self):
        try:
            with open("late.txt", "w") as f:
                f.write("late")
            print(open("late.txt").read())
        except NameError as e:
            print("NameError", e)
a = A()
