# An unknown feature of __future__ is an error.
from __future__ import time_travel
