import os
print(os.readlink("/proc/self/cwd") == os.getcwd(), os.getcwd() == os.path.realpath("."))
