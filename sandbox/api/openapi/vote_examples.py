"""Examples of the models that prepare the inputs of `POST /verify/vote`."""

from __future__ import annotations

from typing import Any

_GENERATOR = {
    "language": "python",
    "code": "import sys\nsize, seed = sys.argv[1:]\nprint(size, seed)",
    "seeds": [1, 2],
    "sizes": {"smallest": 1, "largest": 100_000, "count": 6},
}
_VALIDATOR = {"language": "python", "code": "assert len(input().split()) == 2"}
_VALIDATOR_RESULT = {
    "accuracy": 1.0,
    "valid_accepted": 1,
    "valid_total": 1,
    "invalid_rejected": 1,
    "invalid_total": 1,
}

_DAMAGED = {"damage": "truncated", "made": 8, "rejected": 8}

VOTE_EXAMPLES: dict[str, Any] = {
    "CheckerCalibration": {"trusted": True, "own_outputs": 8, "own_accepted": 8, "damaged": [_DAMAGED]},
    "DamagedOutputs": _DAMAGED,
    "SizeSweep": _GENERATOR["sizes"],
    "ValidatorProbe": {"input": "20\n", "valid": False},
    "VoteGenerator": _GENERATOR,
    "VoteInputResult": {"generator": 0, "args": ["10", "1"], "seed": 1, "size": 10, "status": "used"},
    "VoteValidation": {"filters": [0], "validators": [_VALIDATOR_RESULT], "rejected": 2, "unjudged": 0},
    "VoteValidator": _VALIDATOR,
    "VoteValidatorResult": _VALIDATOR_RESULT,
}
