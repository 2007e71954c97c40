async def inner():
    raise LookupError("in coroutine")
async def outer():
    await inner()
outer().send(None)
