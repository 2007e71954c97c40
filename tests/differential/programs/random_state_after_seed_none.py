import random
random.seed(0)
a = random.getstate()
random.random()
random.setstate(a)
print(random.random(), random.Random(0).random(), hash(random.getstate()) is not None)
