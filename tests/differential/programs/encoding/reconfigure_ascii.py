# An ASCII stdout applies backslashreplace, xmlcharrefreplace and strict in turn.
import sys
sys.stdout.reconfigure(encoding="ascii", errors="backslashreplace")
print("é €")
sys.stdout.reconfigure(errors="xmlcharrefreplace")
print("é €")
sys.stdout.reconfigure(errors="strict")
print("é €")
