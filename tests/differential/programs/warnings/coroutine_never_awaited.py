# A coroutine that is never awaited warns.
async def f():
    pass
f()
print("end")
