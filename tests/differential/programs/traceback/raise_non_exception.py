# Raising a string is a TypeError.
raise "just a string"
