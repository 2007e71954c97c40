# A changed class attribute is seen by code that has cached the old value.
class A:
    x = 1
def read(a):
    return a.x
a = A()
out = []
for i in range(30):
    if i == 20:
        A.x = 2
    out.append(read(a))
print(out)
