# An empty exit message prints a newline and exits with code 1.
import sys
sys.exit("")
