# inspect.stack() gives names, lines and source of two frames.
import inspect
def f():
    return inspect.stack()
for info in f():
    print(info.function, info.lineno, info.code_context, info.index)
print(len(inspect.stack()))
