# A child of the fork server imports the program as __mp_main__.
import multiprocessing as mp
def f(c):
    c.send(__name__)
    c.close()
if __name__ == "__main__":
    ctx = mp.get_context("forkserver")
    a, b = ctx.Pipe()
    p = ctx.Process(target=f, args=(b,))
    p.start()
    print(a.recv())
    p.join()
