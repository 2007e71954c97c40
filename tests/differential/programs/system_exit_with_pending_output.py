import sys
sys.stdout.write("no newline at end")
sys.stderr.write("err no newline")
sys.exit("msg")
