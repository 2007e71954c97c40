# await at module level is an error.
import asyncio
await asyncio.sleep(0)
