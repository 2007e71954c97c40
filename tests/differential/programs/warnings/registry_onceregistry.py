# The registries of warnings start empty.
import warnings
print(warnings.onceregistry, warnings.defaultaction, "__warningregistry__" in globals())
print(len(warnings.filters))
