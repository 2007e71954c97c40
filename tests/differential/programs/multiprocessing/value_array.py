# Three children add to a shared value and write a shared array.
import multiprocessing as mp
def f(v, a):
    with v.get_lock():
        v.value += 5
    a[1] = 2.5
v = mp.Value("i", 1)
a = mp.Array("d", 3)
ps = [mp.Process(target=f, args=(v, a)) for _ in range(3)]
for p in ps:
    p.start()
for p in ps:
    p.join()
print(v.value, list(a))
