# asyncio reports the exception of a task that nobody awaits.
import asyncio
async def f():
    raise ValueError("lost")
async def main():
    asyncio.create_task(f(), name="lost-task")
    await asyncio.sleep(0.01)
asyncio.run(main())
print("end")
