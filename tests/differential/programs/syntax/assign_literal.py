# A number cannot be assigned to.
1 = x
