# Imports that use threads do not start any or use up a name.
import threading
import asyncio
import concurrent.futures
print(threading.active_count(), threading.Thread().name, concurrent.futures.ThreadPoolExecutor(1)._thread_name_prefix)
