"""What a reloader says of itself: everything that a probe wants, and no value."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Changes, ReloadRejected, Status, get_reloader
from dynaconf_k8s_reload._model.status import MountStatus
from dynaconf_k8s_reload._reload.lines import Lines
from dynaconf_k8s_reload._reload.report import History, Refusal
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def test_a_status_is_ready_for_json_and_holds_no_value(volume: AtomicWriter) -> None:
    """``as_dict()`` has every field, times in ISO 8601, and none of the values."""
    volume.write({"MYAPP_A": "hunter2", "not-an-identifier": "swordfish"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_restart_keys=["A"])
    reloader = get_reloader(settings)
    volume.write({"MYAPP_A": "hunter3", "not-an-identifier": "swordfish"})
    reloader.reload()
    status = reloader.status()
    data = json.loads(json.dumps(status.as_dict()))
    assert set(data) == set(Status.__dataclass_fields__)
    assert "hunter" not in json.dumps(data) + repr(status)
    assert "swordfish" not in json.dumps(data) + repr(status)
    assert data["generation"] == 2
    assert data["skipped"] == {"not-an-identifier": "not a C identifier"}
    assert data["restart_required"] == ["A"]
    assert data["mounts"][0]["path"] == str(volume.directory)
    assert data["mounts"][0]["keys"] == 2
    assert data["mounts"][0]["generation_dir"] == os.readlink(volume.directory / "..data")
    assert data["checked_at"] is None
    applied = datetime.fromisoformat(data["applied_at"])
    assert abs((datetime.now(timezone.utc) - applied).total_seconds()) < 60


def test_a_watched_mount_is_healthy_and_compared(volume: AtomicWriter) -> None:
    """With a watch the status says how, and when the mounts were last compared."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory)
    reloader = get_reloader(settings)
    assert reloader.status().watching in ("events", "polling")
    eventually(lambda: reloader.status().checked_at is not None)
    assert reloader.status().healthy
    assert reloader.status().mounts[0].watching in ("events", "polling")
    reloader.stop()
    assert reloader.status().watching == "off"
    assert reloader.status().healthy  # off by choice


def test_without_a_mount_there_is_nothing_to_watch() -> None:
    """No mount: generation 1, no watch, healthy, and a label that says so."""
    settings = make_settings()
    reloader = get_reloader(settings)
    status = reloader.status()
    assert (status.generation, status.mounts, status.watching) == (1, (), "off")
    assert status.healthy
    assert repr(reloader) == "<Reloader of no mount, generation 1>"
    assert reloader.reload().outcome == "unchanged"


def test_the_lag_runs_from_the_commit_to_the_publication(
    volume: AtomicWriter, settings: Any
) -> None:
    """The link's own time counts; the first load has no lag, a clock that went back no negative."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    assert reloader.status().lag is None
    link = volume.directory / "..data"
    for ago, least, most in ((100, 100, 130), (-100, 0, 0)):
        volume.write({"A": str(ago)})
        moment = time.time() - ago
        os.utime(link, (moment, moment), follow_symlinks=False)
        reloader.reload()
        lag = reloader.status().lag
        assert lag is not None
        assert least <= lag <= most


def test_the_lag_is_that_of_the_mount_that_changed(volume: AtomicWriter, tmp_path: Path) -> None:
    """A mount whose content stayed has no part in it."""
    other = AtomicWriter(tmp_path / "other")
    other.write({"B": "1"})
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, other.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    volume.write({"A": "2"})
    moment = time.time() - 50
    os.utime(volume.directory / "..data", (moment, moment), follow_symlinks=False)
    reloader.reload()
    lag = reloader.status().lag
    assert lag is not None
    assert lag >= 50


def test_the_revision_names_the_content(volume: AtomicWriter, tmp_path: Path) -> None:
    """Equal content has an equal revision, wherever its directory is; other content another."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    first = reloader.status().revision
    volume.write({"A": "2"})
    reloader.reload()
    second = reloader.status().revision
    volume.write({"A": "1"})
    reloader.reload()
    assert reloader.status().revision == first != second
    AtomicWriter(tmp_path / "elsewhere").write({"A": "1"})
    other = make_settings(tmp_path / "elsewhere", k8s_watch=False, k8s_mirror=False)
    assert get_reloader(other).status().revision == first


def test_restart_keys_add_up(volume: AtomicWriter) -> None:
    """Changed keys that need a restart stay listed, each once, though they are applied."""
    volume.write({"A": "1", "DB__x": "1", "C": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_restart_keys=["A", "DB"])
    reloader = get_reloader(settings)
    for content in ({"A": "2"}, {"A": "3"}, {"DB__x": "2"}, {"C": "2"}):
        volume.set(*content.popitem())
        assert reloader.reload().outcome == "applied"
    assert reloader.status().restart_required == ("A", "DB.x")
    assert (settings.A, settings.DB.x) == (3, 2)


class Stoppable:
    """An object whose fault a refusal is."""

    def __init__(self) -> None:
        self.stopped = False
        self.lines = Lines()


def test_a_record_tells_news_from_what_is_known() -> None:
    """Content is refused once, and tried again by the watch only where it could not be read."""
    record, error, other = History(), ReloadRejected("no"), ReloadRejected("other")
    culprit = Stoppable()
    assert record.refused("a", Refusal(error, culprit, retry=False))
    assert not record.refused("a", Refusal(error, culprit, retry=False))
    assert (record.refusal_of("a"), record.is_stuck) == (error, False)
    assert record.refusal_of("b") is None
    assert record.refused("b", Refusal(other, culprit, retry=True))
    assert record.refusal_of("b") is None
    culprit.stopped = True
    assert record.is_stuck
    assert not record.refused("b", Refusal(other, culprit, retry=False))
    assert record.refusal_of("b") is None
    record.unchanged()
    assert (record.refusal_of("b"), record.is_stuck) == (None, False)
    record.applied(Changes(), 1.5)
    rest: Any = dict.fromkeys(
        ("revision", "mounts", "watching", "checked_at", "skipped", "healthy"), ()
    )
    status = record.status(**rest)
    assert (status.generation, status.rejected, status.lag) == (1, 2, 1.5)


def test_values_of_the_status_are_frozen() -> None:
    """Nobody can change what was said."""
    status = MountStatus(
        "/a", present=True, generation_dir=None, keys=0, watching="off", problem=None
    )
    with pytest.raises(AttributeError):
        status.keys = 5  # type: ignore[misc] # reason: this is what must fail
