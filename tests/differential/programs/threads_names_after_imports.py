import threading
import asyncio
import concurrent.futures
print(threading.active_count(), threading.Thread().name, concurrent.futures.ThreadPoolExecutor(1)._thread_name_prefix)
