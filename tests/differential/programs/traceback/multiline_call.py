# A call over several lines shows the line where it starts.
def f(a, b, c):
    raise ValueError(a)
result = f(
    1,
    2,
    c=[
        3
    ],
)
