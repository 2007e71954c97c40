import time
from concurrent.futures import ThreadPoolExecutor
ex = ThreadPoolExecutor(1)
for i in range(3):
    ex.submit(lambda i=i: (time.sleep(0.02), print("job", i)))
print("main end")
