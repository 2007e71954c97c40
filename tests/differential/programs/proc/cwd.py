# The kernel's current directory is what os.getcwd() returns.
import os
print(os.readlink("/proc/self/cwd") == os.getcwd(), os.getcwd() == os.path.realpath("."))
