"""RFC 9457 problem details, the format of every error."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ProblemField(BaseModel):
    field: str = Field(description="dotted path of the faulty field, such as body.tests.3.stdin")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details, the format of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[ProblemField] = Field(default_factory=list)
