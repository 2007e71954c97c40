import sys
class K:
    def __lt__(self, other):
        sys.exit(21)
sorted([K(), K()])
