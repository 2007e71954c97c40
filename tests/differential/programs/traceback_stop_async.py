async def f():
    raise StopAsyncIteration
f().send(None)
