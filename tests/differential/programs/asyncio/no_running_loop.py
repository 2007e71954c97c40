# get_running_loop() outside a coroutine fails, and the policy is the default one.
import asyncio
try:
    asyncio.get_running_loop()
except RuntimeError as e:
    print(e)
print(type(asyncio.get_event_loop_policy()).__name__)
