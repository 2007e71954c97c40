import sys
print("first")
sys.stdout.close()
sys.exit(5)
