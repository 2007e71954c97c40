# A missing comma is an error with a suggestion.
x = [1, 2 3]
