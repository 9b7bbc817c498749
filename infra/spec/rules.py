"""Named rules of single values: what Azure takes, checked and put in Azure's spelling; and the same for editors."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from infra.spec import limits as dated
from infra.spec.limits import Limits, did_you_mean
from infra.spec.reading import Rule, describe

_GUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_RECORD = "[A-Za-z0-9][A-Za-z0-9._-]*"
_ADDRESSES = r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"
_SCHEDULE = r"[0-9*,/A-Za-z-]+( [0-9*,/A-Za-z-]+){4}"
_WEBHOOK = r"https://[^\s/]+(/\S*)?"
_SUFFIX = "[a-zA-Z0-9_-]{1,40}"
_TUNABLE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_LARGEST_SEED = 2**31 - 1
_RESOURCE_ID = "/subscriptions/[^/]+(/[^/]+)+"
_PERCENT = r"(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%"
_TARGET = r"[A-Za-z0-9_.*?!\[\]-]{1,100}"


@cache
def rules() -> dict[str, Rule]:
    """Every rule that `model.py` names, by name."""
    limits = dated.load()
    return {
        **{name: _matching(rule.pattern.pattern, f"must {rule.must}") for name, rule in limits.names.items()},
        "addresses": Rule(_addresses, pattern(_ADDRESSES)),
        "capacity": Rule(_capacity, {"minimum": 1}),
        "count": Rule(_count, {"minimum": 1}),
        "data": Rule(_data, {"pattern": r"^[^?]*$"}),
        "guid": Rule(_guid, pattern(_GUID)),
        "positive": Rule(_positive, {"exclusiveMinimum": 0}),
        "price": Rule(_price, {"minimum": 0}),
        "record": _matching(_RECORD, 'must be the name of a file in stacks/models, without ".yaml"'),
        "region": Rule(_region(limits), {"enum": list(limits.regions)}),
        "resourceId": _matching(_RESOURCE_ID, "must be a resource id that starts with /subscriptions/"),
        "role": Rule(_role(limits), one_of(limits.roles, _GUID)),
        "seed": Rule(_seed, {"minimum": 0, "maximum": _LARGEST_SEED}),
        "suffix": _matching(_SUFFIX, "must have 1 to 40 letters, digits, '-' or '_', and no dot"),
        "tunable": _matching(_TUNABLE, "must name a base model with its version, or a tuned one (<base>.ft-<id>)"),
        "variable": _matching(_VARIABLE, "must be the name of a variable of the environment, such as BLOB_SIGNATURE"),
        "schedule": _matching(_SCHEDULE, 'must be a cron schedule of five fields, such as "17 5 * * *"'),
        "share": Rule(_share, _either({"type": "number", "minimum": 0, "maximum": 1}, _PERCENT), whole=True),
        "targets": Rule(_targets, _TARGETS, whole=True),
        "tolerance": Rule(_tolerance, _either({"type": "integer", "minimum": 0}, _PERCENT), whole=True),
        "webhook": _matching(_WEBHOOK, "must be an address that starts with https://"),
        "word": _matching(_RECORD, "must be a word of letters, digits, '.', '_' or '-', to be typed in a command"),
        "sku": Rule(_sku(limits), one_of(limits.skus.values())),
    }


def is_record_name(value: str) -> bool:
    """Whether a file may be called so. Nothing else is looked up: a name is no path."""
    return re.fullmatch(_RECORD, value) is not None


def is_stack_name(value: str) -> bool:
    """Whether Pulumi takes this as the name of a stack."""
    return re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value) is not None


# --- for editors ---------------------------------------------------------------------------------------------------


def pattern(text: str) -> dict[str, Any]:
    r"""The whole value must look so. Editors' `\w` knows no letters but English ones; ours does."""
    return {"pattern": f"^(?:{text})$".replace(r"\w", r"0-9A-Za-z_\u0080-\uffff")}


def one_of(words: Iterable[str], *others: str) -> dict[str, Any]:
    """One of these words, offered in their own spelling and taken in any case, or what looks like one of the others."""
    words = list(words)
    return {"anyOf": [{"enum": words}, pattern("|".join([*map(_any_case, words), *others]))]}


def _any_case(word: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else f"[{c}]" for c in word)


def _either(number: dict[str, Any], text: str) -> dict[str, Any]:
    return {"anyOf": [number, {"type": "string", **pattern(text)}]}


_NAMED = {"type": "string", **pattern(_TARGET)}
_TARGETS = {
    "anyOf": [
        _NAMED,
        {"type": "array", "items": _NAMED, "minItems": 1},
        {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
    ]
}


# --- checks --------------------------------------------------------------------------------------------------------


def _matching(text: str, must: str) -> Rule:
    wanted = re.compile(text)

    def check(value: str) -> str:
        if not wanted.fullmatch(value):
            raise ValueError(f"{must}, not {describe(value)}")
        return value

    return Rule(check, pattern(text))


def _guid(value: str) -> str:
    if not re.fullmatch(_GUID, value):
        raise ValueError(f"must be an id such as 9f1c0a52-1111-4222-8333-444455556666, not {describe(value)}")
    return value.lower()


def _capacity(value: int) -> int:
    if value < 1:
        raise ValueError(f"must be at least 1 (1 is 1,000 tokens a minute), not {value}")
    return value


def _count(value: int) -> int:
    if value < 1:
        raise ValueError(f"must be at least 1, not {value}")
    return value


def _positive(value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"must be a number above 0, not {value}")
    return value


def _seed(value: int) -> int:
    if not 0 <= value <= _LARGEST_SEED:
        raise ValueError(f"must be from 0 to {_LARGEST_SEED}, not {value}")
    return value


def _data(value: str) -> str:
    """A file's path, address or id. An address with a signature is not repeated: it opens to whoever reads it."""
    address = "://" in value
    if address and not value.startswith("https://"):
        raise ValueError("must be an address that starts with https://, a path, or the id of a file")
    if address and ("?" in value or "@" in value):
        raise ValueError("carries a signature or a login, and is kept in git: write the address alone, up to the '?'")
    if not value or "\0" in value:
        raise ValueError("must be a path, an address that starts with https://, or the id of a file")
    return value


def _price(value: float) -> float:
    if value < 0:
        raise ValueError(f"must be an amount of money an hour, not {value}")
    return value


def percent(value: object) -> float | None:
    """A text such as 10% as a number from 0 to 100; None for anything else."""
    return float(value[:-1]) if isinstance(value, str) and re.fullmatch(_PERCENT, value) else None


def _tolerance(value: object) -> int | str:
    """A whole number, or the text of a percentage."""
    if isinstance(value, str) and percent(value) is not None:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"must be a whole number from 0 or a share such as 10%, not {describe(value)}")


def _share(value: object) -> float:
    written = percent(value)
    if written is not None:
        return written / 100
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"must be a share from 0 to 1, or such as 5%, not {describe(value)}")


def _targets(value: Any) -> list[str] | dict[str, str]:
    """Names and patterns as a list; labels as they are."""
    untexted = isinstance(value, dict) and not all(isinstance(one, str) for one in value.values())
    if untexted or value in ({}, []):
        raise ValueError("must be labels with texts, such as {continent: europe}, or names of stacks")
    if isinstance(value, dict):
        return value
    named = value if isinstance(value, list) else [value]
    for one in named:
        if not isinstance(one, str) or not re.fullmatch(_TARGET, one):
            may = "must be names or patterns of stacks, such as prod-*, or labels such as {continent: europe}"
            raise ValueError(f"{may}, not {describe(one)}")
    return named


def _addresses(value: str) -> str:
    """IPv4 alone: Azure's network rules take no others, and no netmask written out."""
    try:
        if not re.fullmatch(_ADDRESSES, value):
            raise ValueError
        ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        text = f'must be an IPv4 address or range such as "203.0.113.0/24", not {describe(value)}'
        raise ValueError(text) from None
    return value


def _region(limits: Limits) -> Callable[[str], str]:
    spoken = {shown.lower(): name for name, shown in limits.regions.items()}

    def check(value: str) -> str:
        if value in limits.regions:
            return value
        name = spoken.get(value.lower(), value.replace(" ", "").lower())
        if name in limits.regions:
            raise ValueError(f'must be the name of the region, "{name}", not {describe(value)}')
        raise ValueError(
            f"{describe(value)} is no region with Azure OpenAI (as of {limits.regions_as_of}; a newer one is added in "
            f"infra/spec/limits.yaml){did_you_mean(value, list(limits.regions))}"
        )

    return check


def _sku(limits: Limits) -> Callable[[str], str]:
    def check(value: str) -> str:
        found = limits.skus.get(value.lower())
        if found is None:
            names = list(limits.skus.values())
            hint = did_you_mean(value, names)
            raise ValueError(f"{describe(value)} is no SKU of a deployment; there are {', '.join(names)}{hint}")
        return found

    return check


def _role(limits: Limits) -> Callable[[str], str]:
    by_name = {name.lower(): role for name, role in limits.roles.items()}

    def check(value: str) -> str:
        """The role's id."""
        if re.fullmatch(_GUID, value):
            return value.lower()
        if value.lower() not in by_name:
            hint = did_you_mean(value, list(limits.roles))
            raise ValueError(
                f"{describe(value)} is no role that is known by name; any role can be given by its id{hint}"
            )
        return by_name[value.lower()]

    return check
