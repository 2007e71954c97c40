"""Hide an installed TRL from verl. verl's processes import this module first (VERL_USE_EXTERNAL_MODULES).

verl 0.9 imports a value head from any installed TRL, although GRPO has none and TRL 1.x no longer provides it.
"""

from __future__ import annotations

import importlib
from typing import Any

import_utils: Any = importlib.import_module("verl.utils.import_utils")
import_utils.is_trl_available = lambda: False
