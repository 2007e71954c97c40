# argparse rejects an argument that is not a number: usage on stderr, exit code 2.
import argparse
p = argparse.ArgumentParser()
p.add_argument("name")
p.add_argument("-n", "--count", type=int, default=3)
p.parse_args()
