"""Proofs of stories start where journeys do."""

from tests.journeys.conftest import (
    both,
    desk,
    desk_to_roll_out,
    desk_with_both,
    desk_with_source,
    empty_desk,
    engine,
    fleet,
    source,
)

__all__ = [
    "both",
    "desk",
    "desk_to_roll_out",
    "desk_with_both",
    "desk_with_source",
    "empty_desk",
    "engine",
    "fleet",
    "source",
]
