import sys
sys.stderr.close()
sys.exit("nobody sees this")
