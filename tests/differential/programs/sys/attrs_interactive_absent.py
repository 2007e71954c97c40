# Attributes of interactive mode and of the last error are absent.
import sys
print([n for n in ("ps1", "ps2", "last_type", "last_value", "last_traceback", "tracebacklimit", "__interactivehook__") if hasattr(sys, n)])
