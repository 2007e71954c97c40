"""What verl's processes import first where TRL is installed beside it (VERL_USE_EXTERNAL_MODULES).

verl 0.9 takes the value head of a model from any TRL it finds, though GRPO has none, and TRL 1.x has it no more. So
verl finds no TRL.
"""

from __future__ import annotations

import importlib
from typing import Any

import_utils: Any = importlib.import_module("verl.utils.import_utils")
import_utils.is_trl_available = lambda: False
