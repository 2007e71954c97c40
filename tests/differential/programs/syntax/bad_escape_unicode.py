# An unknown character name in a string is an error.
x = "\N{NO SUCH CHARACTER}"
