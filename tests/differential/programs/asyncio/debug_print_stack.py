# A task prints its own stack to stderr.
import asyncio
import sys
async def deep():
    asyncio.current_task().print_stack(file=sys.stderr)
async def main():
    await deep()
asyncio.run(main())
