# A __future__ import that is not at the top is an error.
import os
from __future__ import annotations
