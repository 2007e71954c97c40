# A task group collects the exceptions of two tasks into one group.
import asyncio
async def bad(n):
    raise ValueError(n)
async def main():
    async with asyncio.TaskGroup() as tg:
        tg.create_task(bad(1))
        tg.create_task(bad(2))
try:
    asyncio.run(main())
except* ValueError as eg:
    print(eg.message, eg.exceptions)
