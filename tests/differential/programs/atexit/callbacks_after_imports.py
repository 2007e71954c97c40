# Imports of the standard library register the same number of exit handlers.
import atexit
import logging
import concurrent.futures.thread
import multiprocessing.util
import weakref
print(atexit._ncallbacks())
