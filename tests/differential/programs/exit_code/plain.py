# A program that ends normally exits with code 0.
print("done")
