"""What an engine's run came to, in a line, from its log of events."""

from __future__ import annotations

import json

from infra.rollout.diagnosis import failure, read

URN = "urn:pulumi:prod-swe::hearth::azure-native:cognitiveservices:Deployment::support-bot"


def events(*them: object) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in them)


def diagnostic(text: str, urn: str = "", severity: str = "error") -> object:
    return {"diagnosticEvent": {"severity": severity, "urn": urn, "message": text}}


def test_the_first_thing_that_went_wrong_is_told_of_its_resource_without_the_engines_words():
    run = read(events(
        {"resourcePreEvent": {"metadata": {"urn": URN, "op": "update"}}},
        diagnostic("\x1b[31merror: error: Quota\n  exceeded\x1b[0m", URN),
        {"resOpFailedEvent": {"metadata": {"urn": URN, "op": "update"}}},
        diagnostic("update failed"),
        {"summaryEvent": {"resourceChanges": {"same": 4, "create": 1}}},
    ))  # fmt: skip
    assert (run.changes, run.failed, run.under_way, run.ended) == ({"create": 1}, [URN], {}, True)
    assert failure(run, "").text == "support-bot: Quota exceeded"


def test_of_a_traceback_its_last_line_is_told():
    text = "Program failed:\nTraceback (most recent call last):\n  File x\ninfra.errors.SpecError: no such model\n"
    assert failure(read(events(diagnostic(text))), "").text == "infra.errors.SpecError: no such model"


def test_without_events_what_was_printed_tells():
    assert failure(read(""), "Updating\nerror: no stack file\n").text == "no stack file"
    assert failure(read(""), "").text == ""


def test_what_concerns_every_target_is_told_first_and_marked():
    login = read(events(diagnostic("x is not there", URN), diagnostic("AADSTS7000215: wrong secret", URN)))
    assert (failure(login, "").concern, failure(login, "").text) == (
        "login",
        "support-bot: AADSTS7000215: wrong secret",
    )
    away = "The cloud's metadata host localhost:1 (ARM_METADATA_HOSTNAME) does not answer: connection refused"
    assert failure(read(events(diagnostic(away))), "").concern == "network"
    region = "contoso-ft-swe.openai.azure.com does not answer: connection refused"
    assert failure(read(events(diagnostic(region, URN))), "").concern == "target", "the others may well go on"
    secrets = failure(read(""), "error: getting stack configuration: get stack secrets manager: incorrect passphrase")
    assert (secrets.concern, secrets.text.endswith("incorrect passphrase")) == ("secrets", True)
    disk = failure(read(""), "error: write /x: no space left on device")
    assert (disk.concern, disk.text) == ("disk", "write /x: no space left on device")


def test_a_log_that_a_kill_cut_short_is_read_as_far_as_it_goes():
    begun = events({"resourcePreEvent": {"metadata": {"urn": URN, "op": "create"}}})
    run = read(begun + '{"resOutputsEve')
    assert run.under_way == {URN: "create"}
    assert not run.ended
