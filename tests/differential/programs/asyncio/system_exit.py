# sys.exit in a coroutine ends the program with that code.
import asyncio
import sys
async def main():
    sys.exit(15)
asyncio.run(main())
