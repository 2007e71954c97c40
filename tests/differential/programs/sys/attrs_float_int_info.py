# The limits of numbers, hashes and threads are the same.
import sys
print(sys.float_info, sys.int_info, sys.hash_info, sys.thread_info, sep="\n")
