# Counters of process names, task names and temporary names start at zero.
import asyncio
import itertools
import multiprocessing
import tempfile
print(multiprocessing.Process().name, multiprocessing.current_process()._identity, next(multiprocessing.process._process_counter))
async def main():
    return asyncio.current_task().get_name()
print(asyncio.run(main()), tempfile._name_sequence)
