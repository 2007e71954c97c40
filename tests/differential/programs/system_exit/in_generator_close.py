# sys.exit in a generator's finally block ends the program.
import sys
def gen():
    try:
        yield 1
    finally:
        sys.exit(11)
g = gen()
next(g)
g.close()
print("not reached")
