# argparse prints its help with main.py as the program's name.
import argparse
p = argparse.ArgumentParser(description="demo")
p.add_argument("name")
p.add_argument("-n", "--count", type=int, default=3)
p.parse_args()
