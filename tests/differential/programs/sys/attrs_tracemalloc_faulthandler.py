# tracemalloc and faulthandler are off.
import faulthandler
import sys
import tracemalloc
print(faulthandler.is_enabled(), tracemalloc.is_tracing(), tracemalloc.get_traceback_limit(), sys._debugmallocstats.__name__)
