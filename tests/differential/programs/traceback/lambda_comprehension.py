# An error inside a lambda and comprehensions shows each frame.
f = lambda v: [1 // (v - i) for i in range(3)]
print({k: f(k) for k in (5, 1)})
