# cProfile counts calls of a recursive function.
import cProfile
import io
import pstats
def f(n):
    return n if n < 2 else f(n - 1) + f(n - 2)
p = cProfile.Profile()
p.runcall(f, 8)
s = io.StringIO()
st = pstats.Stats(p, stream=s)
print(st.total_calls, st.prim_calls, sorted(k[2] for k in st.stats))
