import sys
class A:
    def __del__(self):
        try:
            print("x")
        except ValueError as e:
            sys.stderr.write(f"{e}\n")
a = A()
sys.stdout.close()
