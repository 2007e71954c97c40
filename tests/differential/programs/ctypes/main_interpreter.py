# The program runs in the main interpreter, and there is only one.
import ctypes
api = ctypes.pythonapi
api.PyInterpreterState_Get.restype = ctypes.c_void_p
api.PyInterpreterState_Main.restype = ctypes.c_void_p
print(api.PyInterpreterState_Get() == api.PyInterpreterState_Main())
import _xxsubinterpreters as s
print(int(s.get_current()), int(s.get_main()), len(s.list_all()))
