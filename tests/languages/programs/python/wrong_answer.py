import sys

count, *numbers = map(int, sys.stdin.read().split())
sys.stdout.write(f"{sum(numbers[:count]) + 1}\n")
