# A spooled file moves to disk when it outgrows its limit.
import tempfile
with tempfile.SpooledTemporaryFile(max_size=10, mode="w+") as f:
    f.write("short")
    print(f._rolled)
    f.write("longer than ten")
    print(f._rolled)
    f.seek(0)
    print(f.read())
