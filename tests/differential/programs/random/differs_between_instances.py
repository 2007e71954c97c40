# Two generators, two UUIDs and two random byte strings differ.
import random
import uuid
import os
a, b = random.Random(), random.Random()
print(a.random() != b.random(), uuid.uuid4() != uuid.uuid4(), os.urandom(8) != os.urandom(8), random.getstate()[0])
