"""Files: uploaded or imported, processed after a while, kept on the disk, within the account's limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.localazure import VirtualClock, quotas, snapshot
from infra.localazure.entities import QuotaLimit
from infra.localazure.http import forms
from infra.localazure.world import World
from tests.localazure.cloud import DATA, PRODUCTION, START, Cloud
from tests.localazure.training import Desk, chat, form, lines, preferences


@pytest.fixture
def desk(cloud: Cloud) -> Desk:
    return Desk(cloud)


def limit(cloud: Cloud, name: str, most: int) -> None:
    quotas.put(cloud.world, QuotaLimit(name=name, limit=most))


def test_a_file_is_pending_then_running_then_processed(cloud, desk):
    cloud.switch(file_processing=60.0)
    content = chat(12)
    made = desk.upload(content)
    assert (made.status, made.body["status"], made.body["bytes"]) == (201, "pending", len(content))
    assert made.headers["location"].endswith(f"/openai/v1/files/{made.body['id']}")
    path = f"/files/{made.body['id']}"
    cloud.advance(seconds=31)
    assert desk.ask("GET", path).body["status"] == "running"
    cloud.advance(seconds=30)
    assert desk.ask("GET", path).body["status"] == "processed"
    assert desk.ask("GET", path, v1=False).body == desk.ask("GET", path).body, "both paths show one file"


def test_what_was_sent_comes_back_byte_for_byte(desk):
    content = b"\xef\xbb\xbf" + chat(3) + b"\r\n\x00--7d1f-not-the-boundary\r\n"
    found = desk.ask("GET", f"/files/{desk.file(content)}/content")
    assert (found.status, found.content) == (200, content)
    assert found.headers["content-length"] == str(len(content))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no json\n", "Line 1 is not a valid json object"),
        (chat(2) + b'{"messages": [\n', "Line 3"),
        (b"[1]\n", "Line 1"),
        (b"\n\n", "No valid json line found in file."),
        (b"\x1f\x8b\x08\x00rubbish", "Line 1"),
        (b'{"a": "\xff"}\n', "Line 1"),
        (b"[" * 100_000, "Line 1"),
    ],
)
def test_a_file_that_is_no_json_lines_ends_in_error_with_the_line(desk, content, why):
    found = desk.ask("GET", f"/files/{desk.file(content)}").body
    assert found["status"] == "error"
    assert found["status_details"].startswith("Validation of jsonl file failed: ")
    assert why in found["status_details"]


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_taken(desk):
    content = b"\xef\xbb\xbf" + chat(10).replace(b"\n", b"\r\n\r\n")
    assert desk.ask("GET", f"/files/{desk.file(content)}").body["status"] == "processed"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"file": ("a.jsonl", b"{}")}, "purpose"),
        ({"purpose": "fine-tune-results", "file": ("a.jsonl", b"{}")}, "purpose"),
        ({"purpose": "fine-tune"}, "no file"),
        ({"purpose": "fine-tune", "file": ("a.jsonl", b"")}, "empty"),
        ({"purpose": "fine-tune", "file": ("", b"{}")}, "no name"),
        ({"purpose": "x" * 70_000, "file": ("a.jsonl", b"{}")}, "longer"),
    ],
)
def test_a_form_that_lacks_something_is_refused_and_leaves_nothing(cloud, desk, parts, said):
    raw, headers = form(parts)
    answer = desk.ask("POST", "/files", raw=raw, headers=headers)
    assert answer.refusal == (400, "invalidPayload")
    assert said in answer.error["message"]
    home = cloud.world.contents.fresh().parent
    assert list(home.iterdir()) == [], "what was received lies nowhere"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=other"])
def test_a_body_that_is_no_form_is_refused(desk, kind):
    raw, _ = form({"purpose": "fine-tune", "file": ("a.jsonl", b"{}")})
    assert desk.ask("POST", "/files", raw=raw, headers={"content-type": kind}).refusal == (400, "invalidPayload")
    cut, headers = form({"purpose": "fine-tune", "file": ("a.jsonl", chat(2))})
    assert desk.ask("POST", "/files", raw=cut[:-40], headers=headers).refusal == (400, "invalidPayload")


def test_the_number_and_size_of_files_are_limited(cloud, desk):
    limit(cloud, "files", 2)
    first = desk.file(chat(1))
    desk.file(chat(1))
    answer = desk.upload(chat(1))
    assert answer.refusal == (400, "quotaExceeded")
    assert answer.error["message"] == "The quota for files without expiry is reached. The maximum is 2."
    assert desk.ask("DELETE", f"/files/{first}").body == {"object": "file", "id": first, "deleted": True}
    limit(cloud, "fileBytes", 400)
    assert desk.upload(chat(3)).refusal == (400, "invalidPayload")
    limit(cloud, "filesBytes", 500)
    assert desk.upload(chat(1)).status == 400
    limit(cloud, "filesBytes", 1000)
    assert desk.upload(chat(1)).status == 201


def test_azures_own_limits_are_those_of_the_page_on_quotas(cloud):
    limits = cloud.world.catalogue.account_limits
    assert (limits["files"], limits["fileBytes"], limits["filesBytes"]) == (100, 512_000_000, 1_000_000_000)


def test_a_list_has_no_pages_and_ends_for_a_client_that_asks_on(desk):
    made = [desk.file(chat(1)) for _ in range(3)]
    found = desk.ask("GET", "/files").body
    assert [f["id"] for f in found["data"]] == made
    assert "has_more" not in found
    assert [f["id"] for f in desk.ask("GET", f"/files?after={made[0]}").body["data"]] == made[1:]
    assert desk.ask("GET", f"/files?after={made[2]}").body["data"] == []
    assert desk.ask("GET", "/files?purpose=batch").body["data"] == []


def test_files_of_another_account_are_not_there(cloud, desk):
    other = Desk(cloud, "oai-other")
    file = desk.file(chat(1))
    assert other.ask("GET", f"/files/{file}").refusal == (404, "notFound")
    assert other.ask("GET", f"/files/{file}/content").refusal == (404, "notFound")
    assert other.ask("DELETE", f"/files/{file}").refusal == (404, "notFound")


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("Cognitive Services OpenAI Contributor", 200, 201),
        ("Cognitive Services OpenAI User", 200, 401),
        ("Cognitive Services Contributor", 401, 401),
        ("Owner", 401, 401),
    ],
)
def test_training_takes_the_role_of_a_contributor_of_openai(cloud, desk, role, reads, writes):
    who = cloud.grant(role, desk.account)
    assert desk.ask("GET", "/files", who=who).status == reads
    answer = desk.upload(chat(1), who=who)
    assert answer.status == writes
    if writes == 401:
        assert "accounts/OpenAI/files/write" in answer.error["message"]


def test_a_file_is_there_after_a_restart_and_what_nobody_names_is_swept(tmp_path: Path):
    first = Cloud(VirtualClock(START, 0), tmp_path)
    desk = Desk(first)
    content = preferences(4)
    file = desk.file(content)
    stray = first.world.contents.write([b"nobody's"])
    first.world.close()
    again = Cloud(VirtualClock(START, 0), tmp_path)
    found = again.ask(
        "GET", f"/{desk.name}.openai.azure.com/openai/v1/files/{file}/content", who=None, version=None,
        audience=DATA, headers={"api-key": again.key(desk.account)},
    )  # fmt: skip
    assert found.content == content
    assert not again.world.contents.path(stray).exists()
    again.world.close()


@pytest.mark.parametrize("kept", [True, False])
def test_a_snapshot_has_the_contents_of_files_deleted_since(tmp_path: Path, kept: bool):
    cloud = Cloud(VirtualClock(START, 0), tmp_path if kept else None)
    desk = Desk(cloud)
    content = chat(5)
    file = desk.file(content)
    snapshot.save(cloud.world, "before")
    assert desk.ask("DELETE", f"/files/{file}").status == 200
    later = desk.file(chat(2))
    snapshot.restore(cloud.world, "before")
    cloud.app.renew()
    assert desk.ask("GET", f"/files/{file}/content").content == content
    assert desk.ask("GET", f"/files/{later}").status == 404
    assert len(list(cloud.world.contents.path("x").parent.iterdir())) == 1, "what came later is gone from the disk"
    snapshot.reset(cloud.world)
    assert list(cloud.world.contents.path("x").parent.iterdir()) == []
    snapshot.restore(cloud.world, "before")
    cloud.app.renew()
    assert desk.ask("GET", f"/files/{file}/content").content == content, "a reset keeps the snapshots"
    snapshot.delete(cloud.world, "before")
    cloud.world.close()


def test_a_content_goes_after_the_record_that_names_it_so_that_a_kill_leaves_no_file_without_one(tmp_path: Path):
    cloud = Cloud(VirtualClock(START, 0), tmp_path)
    desk = Desk(cloud)
    content = chat(5)
    file = desk.file(content)
    snapshot.save(cloud.world, "before")
    (kept,) = cloud.world.files
    piece = cloud.world.contents.path(kept.pieces[0])
    with cloud.world.database:
        assert desk.ask("DELETE", f"/files/{file}").status == 200
        assert piece.exists(), "a kill here would leave the record"
        snapshot.restore(cloud.world, "before")
    assert piece.exists(), "what is named again stays"
    assert desk.ask("DELETE", f"/files/{file}").status == 200
    assert not piece.exists()
    cloud.world.close()


def test_what_an_account_had_goes_with_its_purge(cloud, desk):
    desk.job(chat(12))
    cloud.ask("DELETE", desk.account)
    cloud.advance(hours=49)
    world: World = cloud.world
    assert (len(world.files), len(world.tunings), len(world.uploads)) == (0, 0, 0)
    assert list(world.contents.path("x").parent.iterdir()) == []


# --- uploads in parts ----------------------------------------------------------------------------------------------


def begin(desk: Desk, size: int, **more: str) -> dict:
    body = {"purpose": "fine-tune", "filename": "big.jsonl", "bytes": size, "mime_type": "application/jsonl", **more}
    made = desk.ask("POST", "/uploads", body)
    assert made.status == 200, made.body
    return dict(made.body)


def part(desk: Desk, upload: str, content: bytes) -> dict:
    raw, headers = form({"data": ("part", content)})
    sent = desk.ask("POST", f"/uploads/{upload}/parts", raw=raw, headers=headers)
    assert sent.status == 200, sent.body
    return dict(sent.body)


def test_a_file_comes_in_parts_in_the_order_that_is_named_in_the_end(desk):
    content = chat(40)
    upload = begin(desk, len(content))
    assert (upload["status"], upload["expires_at"] - upload["created_at"]) == ("pending", 7200)
    last, stray, first = (part(desk, upload["id"], c) for c in (content[1000:], b"stray", content[:1000]))
    assert (first["upload_id"], first["object"]) == (upload["id"], "upload.part")
    done = desk.ask("POST", f"/uploads/{upload['id']}/complete", {"part_ids": [first["id"], last["azure_block_id"]]})
    assert (done.status, done.body["status"], done.body["file"]["bytes"]) == (200, "completed", len(content))
    assert desk.ask("GET", f"/files/{done.body['file']['id']}/content").content == content
    desk.cloud.advance(seconds=1)
    assert desk.ask("GET", f"/files/{done.body['file']['id']}").body["status"] == "processed"
    assert stray["id"] not in str(done.body)


@pytest.mark.parametrize("wrong", ["size", "md5", "absent", "twice", "none"])
def test_an_upload_that_does_not_add_up_is_not_completed_and_can_be_mended(desk, wrong):
    content = chat(20)
    upload = begin(desk, len(content) + (wrong == "size"))
    sent = part(desk, upload["id"], content)["id"]
    named = {"absent": [sent, "uplprt-x"], "twice": [sent, sent], "none": []}.get(wrong, [sent])
    body = {"part_ids": named} | ({"md5": "0" * 32} if wrong == "md5" else {})
    assert desk.ask("POST", f"/uploads/{upload['id']}/complete", body).refusal == (400, "invalidPayload")
    assert desk.ask("GET", "/files").body["data"] == []
    if wrong != "size":
        assert desk.ask("POST", f"/uploads/{upload['id']}/complete", {"part_ids": [sent]}).status == 200


def test_an_upload_is_gone_after_two_hours_with_its_parts(cloud, desk):
    upload = begin(desk, 10)
    part(desk, upload["id"], b"0123456789")
    cloud.advance(hours=2)
    raw, headers = form({"data": ("part", b"x")})
    answer = desk.ask("POST", f"/uploads/{upload['id']}/parts", raw=raw, headers=headers)
    assert answer.refusal == (400, "unexpectedEntityState")
    assert list(cloud.world.contents.path("x").parent.iterdir()) == []


def test_a_cancelled_upload_takes_nothing_more(desk):
    upload = begin(desk, 10)
    assert desk.ask("POST", f"/uploads/{upload['id']}/cancel").body["status"] == "cancelled"
    assert desk.ask("POST", f"/uploads/{upload['id']}/cancel").refusal == (400, "unexpectedEntityState")
    assert desk.ask("POST", "/uploads/nobody/cancel").refusal == (404, "notFound")


def test_an_old_api_version_knows_no_uploads_and_no_jobs(desk):
    assert desk.ask("POST", "/uploads", {}, v1=False, version="2024-06-01").status == 404
    assert desk.ask("GET", "/fine_tuning/jobs", v1=False, version="2023-05-15").status == 404
    assert desk.ask("GET", "/fine_tuning/jobs", v1=False, version="2023-12-01-preview").status == 200


def test_a_large_part_never_lies_in_memory_whole(desk):
    content = lines([{"prompt": "x" * 1000, "completion": "y"}] * 6000)
    assert len(content) > 5 * 1024 * 1024, "beyond what other requests may have"
    found = desk.ask("GET", f"/files/{desk.file(content)}").body
    assert (found["status"], found["bytes"]) == ("processed", len(content))
    assert PRODUCTION in desk.account


@pytest.mark.parametrize("whole", [True, False])
def test_a_client_that_goes_away_in_the_middle_leaves_nothing_on_the_disk(tmp_path: Path, whole: bool):
    contents = World(tmp_path, VirtualClock(START, 0)).contents
    raw, headers = form({"purpose": "fine-tune", "file": ("train.jsonl", b"x" * 1000)})

    async def cut() -> AsyncIterator[bytes]:
        yield raw[:-200]
        raise ConnectionResetError

    read = forms.read_whole(cut(), contents) if whole else forms.read_form(cut(), headers["content-type"], contents)
    with pytest.raises(ConnectionResetError):
        asyncio.run(read)
    assert list(contents.fresh().parent.iterdir()) == []
