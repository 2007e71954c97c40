import os
os._exit(300)
