# The three standard streams have their names, modes, classes and buffering flags.
import sys
for s in (sys.stdin, sys.stdout, sys.stderr):
    print(s.name, s.mode, s.fileno(), s.line_buffering, s.write_through, s.newlines, s.closed, s.isatty())
    print(type(s).__name__, type(s.buffer).__name__, type(s.buffer.raw).__name__, s.buffer.raw.closefd, s.buffer.raw.mode)
    print(s.readable(), s.writable(), s.seekable())
