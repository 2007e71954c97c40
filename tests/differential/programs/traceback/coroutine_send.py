# A coroutine that is driven by hand shows its inner frames.
async def inner():
    raise LookupError("in coroutine")
async def outer():
    await inner()
outer().send(None)
