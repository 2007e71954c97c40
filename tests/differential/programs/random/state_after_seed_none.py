# A restored state returns the numbers of a new generator with that seed.
import random
random.seed(0)
a = random.getstate()
random.random()
random.setstate(a)
print(random.random(), random.Random(0).random(), hash(random.getstate()) is not None)
