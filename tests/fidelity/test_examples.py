"""Azure's official examples: those of offered operations are really sent, the others are named with the reason."""

from __future__ import annotations

import pytest

from tests.fidelity import examples, known, spec
from tests.localazure.cloud import Cloud

SENT = [e for e in examples.every() if examples.is_sent(e)]


@pytest.mark.parametrize("example", SENT, ids=lambda e: e.name)
def test_an_official_example_is_answered_in_the_official_shape(cloud: Cloud, example: examples.Example):
    answer = examples.send(cloud, example)
    responses = example.raw["responses"]
    assert str(answer.status) in responses or str(answer.status) in example.op.raw["responses"], answer.body
    told = responses.get(str(answer.status), {})
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    lacks = examples.lacking(told.get("body"), answer.body if is_json else None)
    assert [p for p in lacks if not known.is_known_lack(example.op.name, p)] == []


def test_the_examples_are_there():
    spec.require()
    assert len(SENT) > 60


def test_every_operation_is_offered_or_said_to_be_not_with_the_reason():
    spec.require()
    silent = [op.name for op in spec.operations() if not examples.is_offered(op) and not known.why_unoffered(op.name)]
    assert silent == []
