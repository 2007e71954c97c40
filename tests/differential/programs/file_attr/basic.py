# __file__ is the absolute path of main.py in the current directory.
import os
print(os.path.isabs(__file__), os.path.basename(__file__))
print(os.path.dirname(os.path.abspath(__file__)) == os.getcwd())
print(os.path.samefile(__file__, "main.py"))
