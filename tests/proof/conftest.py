"""Proofs of stories start where journeys do."""

from tests.journeys.conftest import both, desk, desk_with_both, desk_with_source, empty_desk, engine, source

__all__ = ["both", "desk", "desk_with_both", "desk_with_source", "empty_desk", "engine", "source"]
