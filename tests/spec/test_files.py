"""Files that are no good as files, or as YAML."""

from __future__ import annotations

import pytest

from infra.errors import SpecError
from infra.spec import check_project, open_project
from infra.spec.documents import parse
from tests.spec.desk import GONE, TODAY, Desk

STACK = "stacks/Pulumi.dev.yaml"
GOOD = """\
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: swedencentral
  hearth:account: {name: contoso-ft-swe, resourceGroup: rg-contoso-ft-swe}
"""


def told(desk: Desk, text: str | bytes) -> list[str]:
    """What is wrong with a stack file of this text: line, path and text."""
    desk.file(STACK, text)
    found = desk.mistakes()
    assert {mistake.file for mistake in found} <= {STACK}
    return [str(mistake) for mistake in found]


# --- YAML ----------------------------------------------------------------------------------------------------------


def test_a_key_twice_is_told_with_both_lines(desk: Desk):
    assert told(desk, GOOD + "  hearth:ready: warn\n  hearth:ready: off\n") == [
        "line 6, config/hearth:ready: the key stands twice: here and on line 5; keep one"
    ]


def test_a_key_twice_is_told_however_deep_and_however_written(desk: Desk):
    tags = 'hearth:access: []\n  hearth:stack:\n    labels:\n      "1": a\n      1: b\n'
    assert told(desk, f"{GOOD}  {tags}") == [
        "line 9, config/hearth:stack/labels/1: the key stands twice: here and on line 8; keep one"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config:\n\thearth:ready: off\n", "line 2: is not YAML: found character that cannot start any token; indent"),
        (
            "config:\n  hearth:ready: a: b\n",
            "line 2: is not YAML: mapping values are not allowed in this context; a te",
        ),
        ("config:\n  hearth:ready: @off\n", "line 2: is not YAML: found character that cannot start any token; indent"),
        ("config: {\n", "line 1: is not YAML: did not find expected node content"),
        (
            "config:\n  a: 'x\n",
            "line 2: is not YAML: found unexpected end of stream (while scanning a quoted scalar th",
        ),
        (
            "config: *x\n",
            "line 1: is not YAML: found undefined alias; an anchor (&name) must stand above the place tha",
        ),
        ("config: &a {b: *a}\n", "line 1: is not YAML: an anchor holds itself"),
        ("config:\n  ? [a]\n  : b\n", "line 2: is not YAML: a key must be text"),
        (
            "config:\n  a: \x07\n",
            "line 2: is not YAML: it holds a character that no text has, such as a control charac",
        ),
        ("config:\n  a: !Ref x\n", "line 2, config/a: the tag !Ref means nothing here; remove it"),
        ("config:\n  a: {<<: 5}\n", "line 2, config/a/<<: must be a mapping, or a list of mappings"),
        ("config: {}\n---\nconfig: {}\n", "line 3: a second document starts here (---); a file holds one"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_where_it_breaks_and_what_to_do(desk: Desk, text: str, expected: str):
    (found,) = told(desk, text)
    assert found.startswith(expected)


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 150, "{a: " * 200])
def test_a_file_nested_beyond_reason_is_told_and_does_not_bring_us_down(text: str):
    (mistake,) = parse(text, "x.yaml").mistakes
    assert mistake.text == "is not YAML: nested more than 100 deep"


def test_aliases_of_aliases_do_not_fill_the_memory():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (mistake,) = parse("\n".join(rows), "x.yaml").mistakes
    assert mistake.text == "is not YAML: more than 100,000 values"


def test_anchors_and_merged_keys_are_taken_as_the_engine_takes_them(desk: Desk):
    desk.stack({"hearth:deployments": GONE})
    with (desk.root / STACK).open("a") as file:
        file.write("  hearth:stack: {labels: &labels {continent: europe, tier: one}}\n")
        file.write("  hearth:deployments:\n    support-bot:\n      model: support-bot\n")
        file.write("      sku: {name: Standard, capacity: 1}\n      tags: {<<: *labels, tier: 5}\n")
    (mistake,) = desk.mistakes()
    assert mistake.path == "hearth:deployments/support-bot/tags/tier"
    desk.file(STACK, (desk.root / STACK).read_text().replace("tier: 5", "tier: two"))
    (stack,), mistakes = check_project(desk.project, ["dev"], today=TODAY)
    assert not mistakes
    assert stack.deployments[0].tags == {"continent": "europe", "tier": "two"}, "a key of its own wins"


def test_a_mistake_in_merged_keys_is_shown_where_they_stand(desk: Desk):
    shared = "x: &shared\n  localAuth: maybe\n" + GOOD.replace("{name", "{<<: *shared, name")
    assert told(desk, shared) == ['line 2, hearth:account/localAuth: must be true or false, not "maybe"']


# --- the shape of a stack file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "---\n", "config:\n", "config: {}\n", "encryptionsalt: v1:x\n"]
)
def test_an_empty_stack_is_told_what_it_lacks(desk: Desk, text: str):
    assert [found.split(", ")[-1] for found in told(desk, text)] == [
        "azure-native:location: is missing; add it",
        "azure-native:subscriptionId: is missing; add it",
        "hearth:account: is missing; add it",
    ]


@pytest.mark.parametrize("value", ["[1]", "hello", "[]", "''", "0", "false"])
def test_a_config_that_is_no_mapping_is_told(desk: Desk, value: str):
    assert told(desk, f"# first\nconfig: {value}\n") == [
        "line 2, config: must be a mapping of keys such as hearth:account"
    ]


@pytest.mark.parametrize("text", ["hello\n", "[1]\n", "5\n"])
def test_a_stack_file_that_is_no_mapping_is_told(desk: Desk, text: str):
    assert told(desk, text) == ["line 1: must be a mapping with the key config"]


def test_a_misspelt_config_is_told_for_the_engine_says_nothing(desk: Desk):
    assert told(desk, GOOD.replace("config", "confg")) == ['line 1, confg: is not read here; did you mean "config"?']


def test_a_key_that_stands_outside_config_is_told_for_the_engine_says_nothing(desk: Desk):
    assert told(desk, GOOD + "hearth:ready: off\n") == ["line 5, hearth:ready: is not read here; belongs below config:"]


def test_keys_that_pulumi_writes_are_left_alone(desk: Desk):
    pulumis = "encryptionsalt: v1:x\nsecretsprovider: passphrase\nencryptedkey: x\nenvironment: [shared]\n"
    assert told(desk, GOOD + pulumis) == []


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_windows_lines_do_no_harm(desk: Desk, mark: bytes, end: bytes):
    text = mark + (GOOD + "  hearth:ready: no\n").encode().replace(b"\n", end)
    (found,) = told(desk, text)
    assert found.startswith("line 5, hearth:ready: must be serving, required, warn or off")


def test_a_file_that_is_not_utf8_is_told_with_the_line(desk: Desk):
    assert told(desk, GOOD.encode() + "  a: café\n".encode("latin-1")) == [
        "line 5: is not UTF-8 text; save it as UTF-8"
    ]


def test_a_folder_in_the_place_of_a_file_is_told_without_a_path_of_this_machine(desk: Desk):
    (desk.root / STACK).mkdir(parents=True)
    (mistake,) = desk.mistakes()
    assert (mistake.file, mistake.text) == (STACK, "cannot be read: Is a directory")


def test_a_stack_without_a_file_is_told(desk: Desk):
    (mistake,) = check_project(desk.project, ["nope"], today=TODAY)[1]
    assert (mistake.file, mistake.text) == ("stacks/Pulumi.nope.yaml", "does not exist")


@pytest.mark.parametrize("name", ["a b", "ä", "a@b", "x" * 101])
def test_a_stack_name_that_pulumi_refuses_is_told(desk: Desk, name: str):
    desk.stack(name=name)
    (mistake,) = desk.mistakes()
    assert mistake.file == f"stacks/Pulumi.{name}.yaml"
    assert mistake.text.endswith("Pulumi takes up to 100 letters, digits, '-', '_', '.'; rename the file")


@pytest.mark.parametrize("name", ["prod.eu", "-a", "_", ".a"])
def test_a_stack_name_that_pulumi_takes_passes(desk: Desk, name: str):
    desk.stack(name=name)
    assert desk.mistakes() == []


def test_a_broken_file_of_another_stack_stops_nobody(desk: Desk):
    desk.file("stacks/Pulumi.other.yaml", "config: [")
    assert desk.load().name == "dev"


def test_several_broken_stacks_are_told_in_one_run(desk: Desk):
    desk.file("stacks/Pulumi.a.yaml", "config: [")
    desk.stack({"hearth:ready": "x"}, name="b")
    desk.stack(name="c")
    desk.stack({"hearth:account/name": "x"}, name="d")
    assert [m.file[-6:] for m in desk.mistakes()] == ["a.yaml", "b.yaml", "d.yaml"]


# --- Pulumi.yaml ---------------------------------------------------------------------------------------------------


def test_a_project_without_pulumi_yaml_is_told(tmp_path):
    with pytest.raises(SpecError, match=r"Pulumi\.yaml has 1 mistake"):
        open_project(tmp_path)


def test_a_broken_pulumi_yaml_is_told_where_it_breaks(desk: Desk):
    desk.file("Pulumi.yaml", "name: hearth\nruntime: [\n")
    with pytest.raises(SpecError) as caught:
        open_project(desk.root)
    assert [(m.file, m.line) for m in caught.value.mistakes] == [("Pulumi.yaml", 2)]


def test_stacks_are_where_pulumi_yaml_says(desk: Desk):
    desk.file("Pulumi.yaml", "name: hearth\nstackConfigDir: deploy/stacks\n")
    desk.file("deploy/stacks/Pulumi.dev.yaml", GOOD)
    assert (desk.project.stack_names(), desk.mistakes()) == (["dev"], [])
