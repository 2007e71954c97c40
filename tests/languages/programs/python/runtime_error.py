import sys

numbers = sys.stdin.read().split()
sys.stdout.write(numbers[1000])
