# The version, the implementation and the platform are the same.
import platform
import sys
print(sys.version_info, sys.version.split()[0], hex(sys.hexversion), sys.api_version)
print(sys.implementation.name, sys.implementation.cache_tag, sys.byteorder, sys.maxsize, sys.platform)
print(platform.python_implementation(), platform.python_version())
