import sys
print("first")
sys.stdout.close()
print("second")
