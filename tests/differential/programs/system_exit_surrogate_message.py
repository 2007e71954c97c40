import sys
sys.exit("bad \udcff \ud800")
