# get_event_loop() in the main thread creates a loop without a warning.
import asyncio
import warnings
warnings.simplefilter("always")
loop = asyncio.get_event_loop()
print(type(loop).__name__, loop.is_running(), loop.get_debug())
loop.close()
