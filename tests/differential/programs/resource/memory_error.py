# A lowered address space limit raises MemoryError.
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, hard))
try:
    x = bytearray(2**30)
except MemoryError as e:
    print("MemoryError", repr(e))
y = [0] * 2**28
