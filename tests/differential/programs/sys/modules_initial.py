# sys.modules starts with the modules of a plain start.
import sys
print(sorted(sys.modules))
