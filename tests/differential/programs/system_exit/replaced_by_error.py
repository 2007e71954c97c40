# An error in a finally block replaces the exit and shows it as context.
import sys
try:
    sys.exit(5)
finally:
    {}["missing"]
