import asyncio
import warnings
warnings.simplefilter("always")
loop = asyncio.get_event_loop()
print(type(loop).__name__, loop.is_running(), loop.get_debug())
loop.close()
