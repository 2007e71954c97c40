# dis prints the same bytecode and line numbers.
import dis
def f(a):
    for i in a:
        print(i + 1)
dis.dis(f)
