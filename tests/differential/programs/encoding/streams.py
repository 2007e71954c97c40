# The standard streams and the interpreter have their default encodings and error handlers.
import sys
for s in (sys.stdin, sys.stdout, sys.stderr):
    print(s.encoding, s.errors)
print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
