# asyncio writes to standard output through a pipe transport.
import asyncio
import sys
async def main():
    loop = asyncio.get_running_loop()
    t, p = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    t.write(b"through the pipe transport\n")
    await asyncio.sleep(0.01)
asyncio.run(main())
