# fileinput reads lines of standard input.
import fileinput
for line in fileinput.input():
    print(fileinput.filename(), fileinput.lineno(), fileinput.isstdin(), repr(line))
