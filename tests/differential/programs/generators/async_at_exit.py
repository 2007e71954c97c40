# asyncio.run closes an async generator that was left half way.
import asyncio
async def agen():
    try:
        yield 1
        yield 2
    finally:
        print("agen closed")
async def main():
    async for v in agen():
        print(v)
        break
    print("main done")
asyncio.run(main())
