# A failed assertion without a message shows its line.
assert []
