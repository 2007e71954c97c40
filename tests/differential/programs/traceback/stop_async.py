# A StopAsyncIteration leaves a coroutine as it is.
async def f():
    raise StopAsyncIteration
f().send(None)
