# The C API reports the state and flags of a plain start.
import ctypes
api = ctypes.pythonapi
print(api.Py_IsInitialized(), api.PyGILState_Check())
api.Py_GetProgramName.restype = ctypes.c_wchar_p
print(api.Py_GetProgramName().rsplit("/")[-1].startswith("python3"))
for n in ("Py_VerboseFlag", "Py_NoSiteFlag", "Py_FrozenFlag", "Py_InspectFlag", "Py_UnbufferedStdioFlag"):
    print(n, ctypes.c_int.in_dll(api, n).value)
