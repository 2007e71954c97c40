# A program that is one comment exits with code 0.
