# __hello__ and this are imported from their usual places.
import __hello__
import this
print(__hello__.__spec__.origin)
