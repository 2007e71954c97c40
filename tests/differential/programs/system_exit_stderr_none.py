import sys
sys.stderr = None
sys.exit("seen on C stderr?")
