# The worker thread of asyncio.to_thread has the name of a new interpreter's first one.
import asyncio
import threading
async def main():
    print(await asyncio.to_thread(lambda: threading.current_thread().name))
asyncio.run(main())
