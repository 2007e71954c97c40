# A line without its newline on stderr is kept.
import sys
sys.stderr.write("no newline")
