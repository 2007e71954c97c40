# Surrogates in an exit message are escaped.
import sys
sys.exit("bad \udcff \ud800")
