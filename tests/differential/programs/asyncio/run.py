# asyncio.run gathers three tasks that end in the order of their sleeps.
import asyncio
async def f(n):
    await asyncio.sleep(0.01 * n)
    print("task", n)
    return n
async def main():
    return await asyncio.gather(*(f(n) for n in (3, 1, 2)))
print(asyncio.run(main()))
