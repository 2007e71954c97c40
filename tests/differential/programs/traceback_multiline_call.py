def f(a, b, c):
    raise ValueError(a)
result = f(
    1,
    2,
    c=[
        3
    ],
)
