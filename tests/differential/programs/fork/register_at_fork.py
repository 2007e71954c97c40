# Fork hooks run before the fork, in the parent and in the child, and no others do.
import os
os.register_at_fork(before=lambda: print("before"), after_in_child=lambda: print("in child", flush=True), after_in_parent=lambda: print("in parent"))
print("go", flush=True)
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
