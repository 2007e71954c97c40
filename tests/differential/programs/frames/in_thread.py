# The frames of a thread are those of the threading module and the target.
import sys
import threading
def names():
    fr, out = sys._getframe(), []
    while fr:
        out.append(fr.f_code.co_name)
        fr = fr.f_back
    print(out)
t = threading.Thread(target=names)
t.start()
t.join()
