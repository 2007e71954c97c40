"""The model that all models on the wire extend. It is here because the judge's results are sent unchanged."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """A frozen model that rejects unknown fields, so that a misspelled field is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", ser_json_inf_nan="constants", hide_input_in_errors=True
    )
