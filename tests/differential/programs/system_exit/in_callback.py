# sys.exit in a comparison ends the sort and the program.
import sys
class K:
    def __lt__(self, other):
        sys.exit(21)
sorted([K(), K()])
