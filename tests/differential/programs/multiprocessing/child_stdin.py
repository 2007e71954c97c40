# A multiprocessing child finds standard input empty, and its parent still reads it.
import multiprocessing as mp
import sys
def f():
    print(repr(sys.stdin.read()), sys.stdin.name == "/dev/null")
p = mp.Process(target=f)
p.start()
p.join()
print(input())
