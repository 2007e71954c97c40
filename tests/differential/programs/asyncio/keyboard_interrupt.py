# An interrupt during asyncio.run cancels the main task, then raises KeyboardInterrupt.
import asyncio
import os
import signal
async def main():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        print("cancelled")
        raise
asyncio.run(main())
