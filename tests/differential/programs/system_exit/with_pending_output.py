# Unfinished lines on both streams are flushed around the message.
import sys
sys.stdout.write("no newline at end")
sys.stderr.write("err no newline")
sys.exit("msg")
