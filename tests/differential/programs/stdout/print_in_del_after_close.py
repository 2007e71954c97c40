# A finalizer that prints after stdout is closed gets ValueError.
import sys
class A:
    def __del__(self):
        try:
            print("x")
        except ValueError as e:
            sys.stderr.write(f"{e}\n")
a = A()
sys.stdout.close()
