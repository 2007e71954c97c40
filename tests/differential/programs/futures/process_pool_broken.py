# A process pool whose worker dies raises BrokenProcessPool.
import os
from concurrent.futures import ProcessPoolExecutor
def die():
    os._exit(1)
if __name__ == "__main__":
    with ProcessPoolExecutor(1) as ex:
        try:
            ex.submit(die).result()
        except Exception as e:
            print(type(e).__name__)
