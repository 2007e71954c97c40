# The joke import of barry_as_FLUFL does not change the operator of the program itself.
from __future__ import barry_as_FLUFL
print(1 <> 2)
