# A loop's signal handler wakes the loop and is removed when the loop closes.
import asyncio
import os
import signal
async def main():
    ev = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ev.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(ev.wait(), 1)
    print("handled")
asyncio.run(main())
print(signal.getsignal(signal.SIGTERM))
