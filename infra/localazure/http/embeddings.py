"""Embeddings, for the models that make them."""

from __future__ import annotations

import base64
import struct
from typing import Annotated

import msgspec
from msgspec import Meta

from infra.localazure import answers, errors, inference
from infra.localazure.entities import Account, Json
from infra.localazure.http import asked, turn
from infra.localazure.http.asked import one_of
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.chat import Named
from infra.localazure.http.completions import read_texts

MOST_INPUTS = 2048


class EmbeddingBody(msgspec.Struct, kw_only=True):
    """POST embeddings; unknown fields are ignored."""

    input: str | Annotated[list[str | int | list[int]], Meta(max_length=MOST_INPUTS)]
    model: str | None = None
    encoding_format: str | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: str | None = None


def embed(call: Call, account: Account) -> Answer:
    """A vector for each input."""
    name = call.params.get("deployment") or asked.read(call, Named).model
    reached = turn.begin(call, account, inference.EMBEDDING, name)
    body = asked.read(call, EmbeddingBody)
    form = one_of(body.encoding_format or "float", ("float", "base64"), "encoding_format")
    most = reached.base.dimensions
    if body.dimensions is not None and body.dimensions > most:
        raise errors.TOO_GREAT(name="dimensions", most=most, value=body.dimensions, param="dimensions")
    texts = read_texts(body.input, "input")
    reached.require_room(max(count for _, count in texts), None, "input")
    tokens = sum(count for _, count in texts)
    reached.admit("\n".join(text for text, _ in texts), tokens, tokens)
    data = []
    for at, (text, _) in enumerate(texts):
        vector = answers.embedding(reached.model, text, body.dimensions or most)
        data.append({"object": "embedding", "index": at, "embedding": _written(vector, form)})
    usage: Json = {"prompt_tokens": tokens, "total_tokens": tokens}
    return reached.whole({"object": "list", "data": data, "model": reached.model, "usage": usage})


def _written(vector: list[float], form: str) -> list[float] | str:
    if form == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
