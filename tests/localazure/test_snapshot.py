"""Snapshots and resets: all that local Azure knows, to come back to."""

from __future__ import annotations

import json
import os
import stat
from datetime import timedelta

import pytest

from infra.localazure import VirtualClock, faults, seed, snapshot
from infra.localazure.faults import Wish
from infra.localazure.http.app import App
from infra.localazure.snapshot import BadSnapshot
from infra.localazure.world import World
from tests.localazure.cloud import OWNER, PRODUCTION, SEED, START, Cloud
from tests.localazure.test_control import control

GROUP = f"/subscriptions/{PRODUCTION}/resourceGroups/rg"


@pytest.fixture
def kept(tmp_path):
    """A planted world with a folder."""
    world = World(tmp_path, VirtualClock(START, 0))
    seed.plant(world, SEED)
    yield world
    world.close()


def test_everything_comes_back_records_clock_switches_and_faults(cloud):
    account = cloud.account()
    cloud.tune(account)
    bot = cloud.serve(account)
    control(cloud, "PUT", "switches", {"idle_days": 3})
    control(cloud, "POST", "faults", {"name": "throttle", "scope": "eastus2", "count": 3})
    before, now = cloud.get(bot).body, cloud.world.now()
    saved = control(cloud, "PUT", "snapshots/calm")
    assert saved.status == 201
    assert saved.body["bytes"] > 1000

    cloud.ask("DELETE", bot)
    cloud.group("later")
    cloud.advance(days=60)
    control(cloud, "PUT", "switches", {"idle_days": 15})
    control(cloud, "DELETE", "faults")
    assert control(cloud, "POST", "snapshots/calm/restore").status == 200

    assert cloud.world.now() == now, "a restore is the one thing that turns the clock back"
    assert cloud.get(bot).body == before
    assert cloud.get(f"/subscriptions/{PRODUCTION}/resourceGroups/later").status == 404
    assert cloud.world.switches.idle_days == 3
    assert [f.name for f in faults.standing(cloud.world)] == ["throttle"]
    assert cloud.chat(bot).status == 200, "its subdomain is known again too"
    cloud.advance(days=3, seconds=1)
    assert cloud.get(bot).status == 404, "what is due is scheduled anew, by the switches of the snapshot"


def test_rate_windows_and_permissions_are_worked_out_anew(cloud):
    account = cloud.account()
    cloud.tune(account)
    bot = cloud.serve(account)
    assert cloud.get(bot).status == 200
    while cloud.chat(bot).status == 200:
        pass
    control(cloud, "PUT", "snapshots/full")
    control(cloud, "POST", "snapshots/full/restore")
    assert cloud.chat(bot).status == 200, "a moment in the past has no calls of the future in its windows"
    control(cloud, "POST", "reset", {"tenants": [], "subscriptions": []})
    assert cloud.get(bot).status != 200


def test_a_snapshot_outlives_the_process_and_the_state_follows_it_to_the_disk(tmp_path, kept):
    faults.add(kept, Wish(name="slow"))
    snapshot.save(kept, "calm")
    kept.advance(timedelta(days=2))
    faults.clear(kept)
    snapshot.restore(kept, "calm")
    kept.database.close()  # as a kill leaves it
    again = World(tmp_path, VirtualClock(START, 0))
    assert [f.name for f in faults.standing(again)] == ["slow"]
    assert again.now() == START
    assert len(again.principals) == len(SEED.principals)
    again.close()


def test_a_token_of_before_still_opens_what_was_restored(kept):
    app = App(kept)
    token = app.directory.issue(kept.principals.get(OWNER), "https://management.azure.com")
    snapshot.save(kept, "calm")
    snapshot.restore(kept, "calm")
    app.renew()
    assert app.directory.caller(token, ("https://management.azure.com",)).principal == OWNER


def test_a_file_is_nobody_elses_and_there_is_never_half_of_one(tmp_path, kept, monkeypatch):
    snapshot.save(kept, "calm")
    file = tmp_path / "snapshots" / "calm.snapshot.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    whole = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    kept.advance(timedelta(days=1))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        snapshot.save(kept, "calm")
    assert file.read_bytes() == whole
    assert [k.name for k in snapshot.listing(kept)] == ["calm"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: {**s, "format": 99}, "is of format 99, and this local Azure reads format 1"),
        (lambda s: {**s, "records": {**s["records"], "dragon": {}}}, "does not know: dragon"),
        (lambda s: {**s, "records": {**s["records"], "principal": {"a": {"id": 7}}}}, "cannot be read"),
        (lambda _: [], "cannot be read"),
        (lambda s: {**s, "meta": {}}, "cannot be read"),
    ],
)
def test_a_snapshot_that_is_not_understood_is_refused_and_changes_nothing(tmp_path, kept, change, why):
    snapshot.save(kept, "calm")
    file = tmp_path / "snapshots" / "calm.snapshot.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    kept.advance(timedelta(days=1))
    with pytest.raises(BadSnapshot, match=why):
        snapshot.restore(kept, "calm")
    assert kept.now() == START + timedelta(days=1)
    assert len(kept.principals) == len(SEED.principals)


@pytest.mark.parametrize("folder", [True, False])
def test_they_are_listed_and_forgotten_by_name(tmp_path, folder):
    world = World(tmp_path if folder else None, VirtualClock(START, 0))
    for name in ("b", "a"):
        snapshot.save(world, name)
    assert [(k.name, k.now) for k in snapshot.listing(world)] == [(name, "2026-11-01T12:00:00Z") for name in ("a", "b")]
    snapshot.delete(world, "a")
    assert [k.name for k in snapshot.listing(world)] == ["b"]
    with pytest.raises(BadSnapshot, match="there is no snapshot a; there are: b"):
        snapshot.restore(world, "a")
    for bad in ("../state", "a/b", "", ".hidden", "x" * 65):
        with pytest.raises(BadSnapshot, match="is no name of a snapshot"):
            snapshot.save(world, bad)
    world.close()


def test_a_snapshot_that_is_missing_or_misnamed_is_a_400_of_the_control_api(cloud):
    assert control(cloud, "POST", "snapshots/none/restore").status == 400
    assert control(cloud, "DELETE", "snapshots/none").status == 400
    assert control(cloud, "PUT", "snapshots/.x").status == 400
    control(cloud, "PUT", "snapshots/x")
    assert [s["name"] for s in control(cloud, "GET", "snapshots").body["value"]] == ["x"]
    assert control(cloud, "DELETE", "snapshots/x").status == 204


def test_a_reset_starts_anew_with_the_seed_it_had_and_keeps_the_snapshots():
    cloud = Cloud()
    cloud.app.plant(SEED)
    cloud.group()
    control(cloud, "PUT", "switches", {"readiness": 9})
    control(cloud, "PUT", "snapshots/before")
    assert control(cloud, "POST", "reset").status == 200
    assert cloud.get(GROUP).status == 404
    assert cloud.world.switches.readiness == 0.5
    assert cloud.world.clock.factor == 1
    assert cloud.get(f"/subscriptions/{PRODUCTION}").status == 200, "planted again"
    control(cloud, "POST", "snapshots/before/restore")
    assert cloud.get(GROUP).status == 200


def test_a_reset_with_a_seed_that_makes_no_sense_forgets_nothing(cloud):
    cloud.group()
    bad = {"roles": [{"principal": OWNER, "role": "Owner", "scope": "/"}]}
    assert control(cloud, "POST", "reset", bad).status == 400, "its principal is of the state that would be gone"
    assert cloud.get(GROUP).status == 200
