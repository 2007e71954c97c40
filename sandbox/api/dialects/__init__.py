"""The peers' wire formats, a file each: a dialect translates and calls the one service, and has no execution logic."""
