# An object that its finalizer brings back is not finalized a second time.
class A:
    def __del__(self):
        global saved
        saved = self
        print("resurrected")
a = A()
del a
print(saved is not None)
