import __hello__
import this
print(__hello__.__spec__.origin)
