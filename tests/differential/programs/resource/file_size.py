# A write beyond a lowered file size limit is cut, and the next one fails.
import resource
import signal
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
with open("big", "wb", buffering=0) as f:
    print(f.write(b"x" * 2000))
    f.write(b"y")
