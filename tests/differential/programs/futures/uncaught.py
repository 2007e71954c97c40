# A job's exception is raised by result() with the worker's traceback.
from concurrent.futures import ThreadPoolExecutor
def job(x):
    return {}[x]
with ThreadPoolExecutor(1) as ex:
    ex.submit(job, "k").result()
