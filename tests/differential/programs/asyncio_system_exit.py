import asyncio
import sys
async def main():
    sys.exit(15)
asyncio.run(main())
