# print_stack shows the program's frames only.
import traceback
def f():
    traceback.print_stack()
    print(len(traceback.extract_stack()))
f()
print([s.name for s in traceback.extract_stack()])
