"""Tokens are counted by the encodings of the wheel; figures are those that OpenAI's documentation shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.spec import tuning
from infra.training import cost, dataset, tokens
from infra.training.dataset import Asked
from tests.training import cases


@pytest.mark.parametrize(
    ("encoding", "text", "count"),
    [
        ("cl100k_base", "tiktoken is great!", 6),
        ("cl100k_base", "antidisestablishmentarianism", 6),
        ("cl100k_base", "2 + 2 = 4", 7),
        ("cl100k_base", "お誕生日おめでとう", 9),
        ("o200k_base", "お誕生日おめでとう", 8),
        ("o200k_base", "tiktoken is great!", 6),
    ],
)
def test_counts_are_those_of_openais_cookbook(encoding: str, text: str, count: int):
    counter = tokens.counter(encoding)
    assert counter
    assert counter(text) == count


def test_every_model_has_an_encoding_that_is_here():
    for model in tuning.load().models.values():
        assert tokens.counter(model.encoding), model.name


def test_an_encoding_that_is_not_here_makes_an_estimate_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "counter", lambda encoding: None)
    report = dataset.check(Asked([cases.CHAT]))
    assert (report.counted, report.encoding) == ("estimate", None)


def test_what_is_cut_is_not_paid_for():
    known = tuning.load()
    model = known.model("gpt-4.1")
    assert model
    assert model.example_tokens
    sizes = cost.Sizes({model.example_tokens + 5: 2, 100: 1}, estimated=False)
    assert cost.bill(known, model, sizes, 1, reinforcement=False).tokens == 2 * model.example_tokens + 100


def test_a_price_is_dated_and_a_range_while_azure_chooses_the_epochs():
    found = cost.bill(
        tuning.load(), tuning.load().model("gpt-4.1"), cost.Sizes({1_000_000: 1}, False), None, reinforcement=False
    )
    (price,) = [price for price in found.prices if price.training_type == "GlobalStandard"]
    assert (price.least, price.most) == pytest.approx((0.065536 * 2, 0.065536 * 2 * 25)), (
        "one long example, cut; few examples, many epochs"
    )
    assert found.as_of
    assert found.source


def test_no_price_is_guessed():
    known = tuning.load()
    found = cost.bill(known, known.model("gpt-4o"), cost.Sizes({10: 20}, False), 3, reinforcement=False)
    assert (found.prices, found.per_hour, found.tokens) == ([], None, 200)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
        ("GPT-4.1-mini-2025-04-14", "gpt-4.1-mini-2025-04-14"),
        ("gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef", "gpt-4.1-mini-2025-04-14"),
        ("gpt-35-turbo", None),
        ("gpt-35-turbo-0125", "gpt-35-turbo-0125"),
        ("llama", None),
    ],
)
def test_a_model_is_known_by_its_name_without_its_date_where_that_is_one_and_as_base_of_a_tuned_one(
    name: str, base: str | None
):
    found = tuning.load().model(name)
    assert (found.name if found else None) == base


def test_an_example_that_is_cut_is_told_with_how_many(tmp_path: Path):
    file = cases.write(tmp_path / "a", *[cases.chat(f"{n} " + "why " * 5_000) for n in range(3)])
    (found,) = dataset.check(Asked([file], model="gpt-35-turbo-0613")).files
    assert found.broken == {"cut": 3}
    assert "3 examples are longer than 4,096 tokens" in found.findings[0].text


def test_instructions_and_tools_that_examples_share_are_counted_in_each_of_them(tmp_path: Path):
    tool = {"type": "function", "function": {"name": "find", "description": "Find a parcel.", "parameters": {}}}
    rules = {"role": "system", "content": "Answer briefly."}
    plain = [{"messages": [rules, *cases.chat(f"Where is {n}?")["messages"]]} for n in range(30)]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in [*plain, *({**one, "tools": [tool]} for one in plain)]))
    (found,) = dataset.check(Asked([file])).files
    alone = tmp_path / "one.jsonl"
    alone.write_text(f"{json.dumps(plain[0])}\n{json.dumps({**plain[0], 'tools': [tool]})}\n")
    (one,) = dataset.check(Asked([alone])).files
    count = tokens.counter("o200k_base")
    assert count
    assert found.roles["system"] == (60, 60 * count("Answer briefly."))
    assert found.roles["tools"] == (30, 30 * one.roles["tools"][1])
    assert (
        sum(size * times for size, times in found.sizes.items())
        == sum(size + (tokens.MESSAGE * texts) for texts, size in found.roles.values()) + 60 * tokens.EXAMPLE
    )


def test_the_same_text_by_another_role_is_another_example(tmp_path: Path):
    messages = cases.chat("Where is it?")["messages"]
    both = [{"messages": [{"role": role, "content": "Be brief."}, *messages]} for role in ("system", "developer")]
    (found,) = dataset.check(Asked([cases.write(tmp_path / "a", *both)])).files
    assert found.broken == {}
