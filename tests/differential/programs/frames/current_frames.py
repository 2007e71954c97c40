# Exactly one thread has a current frame, and no exception is being handled.
import sys
import threading
frames = sys._current_frames()
print(len(frames), list(frames) == [threading.get_ident()], frames[threading.get_ident()] is sys._getframe())
print(sys._current_exceptions() == {threading.get_ident(): (None, None, None)} or list(sys._current_exceptions().values()))
