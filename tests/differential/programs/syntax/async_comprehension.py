# An asynchronous comprehension outside an async function is an error.
def f():
    return [x async for x in y]
