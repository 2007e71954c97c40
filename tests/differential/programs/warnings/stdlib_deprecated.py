# Importing a deprecated module warns.
import imp
print(imp.__name__)
