# An exception in an awaited coroutine leaves asyncio.run with its traceback.
import asyncio
async def inner():
    await asyncio.sleep(0)
    raise ValueError("async failure")
async def main():
    await inner()
asyncio.run(main())
