# -*- coding: latin-1 -*-
s = "café £"
print(s, ascii(s))
raise ValueError(s + "ü")  # é
