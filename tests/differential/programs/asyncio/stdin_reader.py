# asyncio reads standard input as a pipe, line by line.
import asyncio
import sys
async def main():
    r = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(r), sys.stdin)
    while line := await r.readline():
        print(line)
asyncio.run(main())
