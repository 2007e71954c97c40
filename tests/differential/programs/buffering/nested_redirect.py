# redirect_stdout and redirect_stderr catch what is printed.
import contextlib
import io
buf = io.StringIO()
with contextlib.redirect_stdout(buf), contextlib.redirect_stderr(buf):
    print("captured")
    import sys
    print("captured err", file=sys.stderr)
print(repr(buf.getvalue()))
