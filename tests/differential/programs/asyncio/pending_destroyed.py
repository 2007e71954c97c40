# asyncio reports a task that is destroyed while it is still pending.
import asyncio
async def f():
    await asyncio.sleep(10)
loop = asyncio.new_event_loop()
t = loop.create_task(f(), name="pending")
loop.call_later(0.01, loop.stop)
loop.run_forever()
loop.close()
print("end")
