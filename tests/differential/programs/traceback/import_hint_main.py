# Importing a missing name from main runs the program a second time.
from main import something_not_there
