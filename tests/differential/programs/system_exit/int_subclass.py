# A member of an IntEnum is an exit code.
import enum
import sys
class Code(enum.IntEnum):
    FAIL = 9
sys.exit(Code.FAIL)
