"""The child process of `regex`: reads expressions and texts on stdin and answers each with a line. Standard library
only.

The CPU timer keeps its default action, which kills the process: inside a match, Python may not handle signals for
minutes.
"""

import re
import resource
import signal
import struct
import sys

REQUEST = struct.Struct("<IIIdd?")
MEMORY_BYTES = 192 << 20


def match_text(
    pattern: bytes, text: bytes, flags: int, compile_time_s: float, match_time_s: float, search: bool
) -> str:
    try:
        signal.setitimer(signal.ITIMER_PROF, compile_time_s)
        expression = re.compile(pattern.decode(), flags)
        signal.setitimer(signal.ITIMER_PROF, match_time_s)
        subject = text.decode(errors="surrogateescape")
        found = expression.search(subject) if search else expression.fullmatch(subject)
    except (re.error, OverflowError, RecursionError, UnicodeDecodeError) as error:
        return f"not a regular expression: {type(error).__name__}: {error}".replace("\n", " ")[:300]
    except MemoryError:
        return "no memory"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "no match" if found is None else "match"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while header := stdin.read(REQUEST.size):
        pattern_bytes, text_bytes, flags, compile_time_s, match_time_s, search = REQUEST.unpack(header)
        pattern, text = stdin.read(pattern_bytes), stdin.read(text_bytes)
        line = match_text(pattern, text, flags, compile_time_s, match_time_s, search)
        del text
        stdout.write(line.encode(errors="replace") + b"\n")
        stdout.flush()
        re.purge()


if __name__ == "__main__":
    main()
