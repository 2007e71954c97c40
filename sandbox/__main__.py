"""Run the command-line interface with `python -m sandbox`."""

from sandbox.cli import main

main()
