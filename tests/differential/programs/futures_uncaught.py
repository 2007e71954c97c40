from concurrent.futures import ThreadPoolExecutor
def job(x):
    return {}[x]
with ThreadPoolExecutor(1) as ex:
    ex.submit(job, "k").result()
