# Standard input can be read as Latin-1.
import sys
sys.stdin.reconfigure(encoding="latin-1")
print(input())
