"""The rules that need no cloud and no engine: values, merging, tokens' time, endpoints of Azure's own."""

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as some

from infra.toolchain.azure_native.cloud import CONSENT, CONSENT_VALUE, find_cloud
from infra.toolchain.azure_native.errors import Misconfigured, arm_error
from infra.toolchain.azure_native.login import Tokens
from infra.toolchain.azure_native.merge import merge
from infra.toolchain.azure_native.names import Naming, naming_of
from infra.toolchain.azure_native.resource_manager import _retry_after
from infra.toolchain.azure_native.settings import Secret, read_settings
from infra.toolchain.azure_native.table import ROWS
from infra.toolchain.azure_native.transport import Response, Transport
from infra.toolchain.azure_native.wire import UNKNOWN, has_unknowns, properties_of, struct_of

words = some.text(max_size=4)
scalars = words | some.booleans() | some.integers(-(2**53), 2**53) | some.floats(allow_nan=False, allow_infinity=False)
values = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(words, inner, max_size=3), max_leaves=8
)
objects = some.dictionaries(words, values, max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(objects)
def test_values_come_back_from_the_protocol_as_they_were(value: dict) -> None:
    assert properties_of(struct_of(value)) == value


def test_unknowns_secrets_and_nulls() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": {"a": 1}}
    message = struct_of({"secret": secret, "later": UNKNOWN, "list": [UNKNOWN, 10.0]})
    message.fields["nothing"].null_value = 0  # type: ignore[assignment]

    found = properties_of(message)

    assert found == {"secret": {"a": 1}, "later": UNKNOWN, "list": [UNKNOWN, 10]}
    assert isinstance(found["list"][1], int), "Azure wants an integer where the protocol has only doubles"
    assert has_unknowns(found)
    assert not has_unknowns({"a": [{"b": 1}]})
    assert properties_of(Struct()) == {}


@settings(deadline=None)  # the machine may be busy
@given(objects, objects)
def test_without_a_change_the_inputs_stay(inputs: dict, answer: dict) -> None:
    assert merge(inputs, answer, answer) == inputs


@settings(deadline=None)  # the machine may be busy
@given(objects, objects)
def test_inputs_that_were_the_answer_become_the_new_answer(was: dict, now: dict) -> None:
    assert merge(was, was, now) == now


def test_only_what_changed_is_merged_as_deep_as_it_goes() -> None:
    inputs = {"sku": {"name": "standard", "capacity": 1}, "rules": [{"a": 1}, {"a": 2}]}
    was = {
        "sku": {"name": "Standard", "capacity": 1, "tier": "x"},
        "rules": [{"a": 1, "d": 0}, {"a": 2, "d": 0}],
        "kind": "k",
    }
    now = {
        "sku": {"name": "Standard", "capacity": 5, "tier": "x"},
        "rules": [{"a": 1, "d": 0}, {"a": 9, "d": 0}, {"a": 3}],
    }

    assert merge(inputs, was, now) == {
        "sku": {"name": "standard", "capacity": 5},
        "rules": [{"a": 1}, {"a": 9}, {"a": 3}],
    }


def test_a_token_is_fetched_anew_shortly_before_its_end() -> None:
    now = [0.0]
    logins: list[str] = []

    def login(tenant: str) -> tuple[Secret, float]:
        logins.append(tenant)
        return Secret(f"t{len(logins)}"), 3600

    tokens = Tokens(login, "tenant", (), now=lambda: now[0])
    tokens.headers()
    now[0] = 3299
    assert tokens.headers() == {"Authorization": "Bearer t1"}
    now[0] = 3300
    assert tokens.headers() == {"Authorization": "Bearer t2"}, (
        "five minutes before its end it is too old for a long operation"
    )


def test_a_short_lived_token_is_used_for_half_its_life() -> None:
    now = [0.0]
    tokens = Tokens(lambda _: (Secret(f"at-{now[0]:g}"), 60), "tenant", (), now=lambda: now[0])
    tokens.headers()
    now[0] = 29
    assert tokens.headers()["Authorization"] == "Bearer at-0"
    now[0] = 31
    assert tokens.headers()["Authorization"] == "Bearer at-31"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"code": "C", "message": "M"}}', 'Status=400 Code="C" Message="M"'),
        (b'{"code": "C", "message": "M"}', 'Status=400 Code="C" Message="M"'),
        (b'{"error": {"message": "M"}}', 'Status=400 Message="M"'),
        (b"<html>proxy</html>", 'Status=400 Message="<html>proxy</html>"'),
        (b"", 'Status=400 Message=""'),
        (b'{"error": "flat"}', 'Status=400 Message="{"error": "flat"}"'),
        (b"[1]", 'Status=400 Message="[1]"'),
    ],
)
def test_an_error_reads_as_the_official_plugin_writes_it(body: bytes, text: str) -> None:
    assert str(arm_error(400, body)) == text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"x-ms-retry-after-ms": "30"}, 0.03),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert _retry_after(Response(429, headers, b"")) == seconds


def test_azures_own_clouds_are_known_by_their_names() -> None:
    env = {CONSENT: CONSENT_VALUE}

    public = find_cloud(read_settings({}, {}), Transport(), env)
    government = find_cloud(read_settings({}, {"ARM_ENVIRONMENT": "usgovernment"}), Transport(), env)

    assert public.resource_manager.startswith("https://management.")
    assert public.login.startswith("https://login.")
    assert public.scope.endswith("/.default")
    assert government.resource_manager != public.resource_manager
    with pytest.raises(Misconfigured, match="is not one of public, usgovernment, china"):
        find_cloud(read_settings({}, {"ARM_ENVIRONMENT": "moon"}), Transport(), env)


def test_children_are_named_after_the_program_and_others_at_random() -> None:
    kinds = {row.token.rpartition(":")[2]: naming_of(row) for row in ROWS}

    children = {"BlobContainer", "Deployment", "FederatedIdentityCredential", "Key", "RaiPolicy"}
    assert {name for name, kind in kinds.items() if kind is Naming.COPY} == children
    assert {name for name, kind in kinds.items() if kind is Naming.UUID} == {"RoleAssignment"}
