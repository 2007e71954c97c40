import atexit
import logging
import concurrent.futures.thread
import multiprocessing.util
import weakref
print(atexit._ncallbacks())
