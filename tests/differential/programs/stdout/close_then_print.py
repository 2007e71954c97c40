# print to a closed stdout raises ValueError.
import sys
print("first")
sys.stdout.close()
print("second")
