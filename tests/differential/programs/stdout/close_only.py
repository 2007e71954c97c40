# A closed stdout keeps the exit code.
import sys
print("first")
sys.stdout.close()
sys.exit(5)
