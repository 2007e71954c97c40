"""`sandbox synth rewrite`: turn documents into a request for `POST /generate` that rewrites them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rewrite(
    documents: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines, each with a document's `text`.")
    ],
    model: Annotated[str, typer.Option(help="The model that rewrites, as in `POST /generate`.")],
    style: Annotated[str, typer.Option(help="questions, lesson or summary.")] = "questions",
    versions: Annotated[int, typer.Option("-n", min=1, max=1_024, help="Versions of each document.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="Sampling temperature.")] = 0.7,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens per version.")] = 1_024,
    max_chars: Annotated[int, typer.Option(min=1, help="Characters that a document may have.")] = 12_000,
    prompts: Annotated[
        Path | None, typer.Option(file_okay=False, help="Directory with your own prompts, under the same names.")
    ] = None,
) -> None:
    """Print a request for `POST /generate` that rewrites documents, with one prompt for each."""
    from sandbox.schema.gpu import Sampling
    from sandbox.synth.prompts import Prompts
    from sandbox.synth.rewriting import build_rewrite_request, read_documents

    sampling = Sampling(n=versions, temperature=temperature, max_tokens=max_tokens)
    texts = read_documents(documents, max_chars)
    request = build_rewrite_request(texts, model, style, sampling, Prompts(prompts))
    typer.echo(request.model_dump_json(exclude_unset=True))
