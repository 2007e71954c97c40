# Submodules that nobody imported are not attributes of their packages.
import xml
print(hasattr(xml, "etree"), hasattr(xml, "dom"))
import os
import concurrent
import importlib
print(hasattr(concurrent, "futures"), hasattr(importlib, "metadata"), hasattr(importlib, "resources"), hasattr(importlib, "util"))
