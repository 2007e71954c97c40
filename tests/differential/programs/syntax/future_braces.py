# The joke about braces is an error with its own message.
from __future__ import braces
