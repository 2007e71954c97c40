# Only the enums that the program imports exist, and their members have the usual repr.
import enum
import re
import signal
import socket
print(enum.Enum.__subclasses__() and sorted(c.__name__ for c in enum.IntEnum.__subclasses__() if c.__module__ in ("signal", "socket", "__main__")))
print(re.RegexFlag.I, signal.Signals.SIGINT)
