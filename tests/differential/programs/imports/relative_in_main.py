# A relative import in the main program fails with the usual message.
from . import something
