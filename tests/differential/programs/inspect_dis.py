import dis
def f(a):
    for i in a:
        print(i + 1)
dis.dis(f)
