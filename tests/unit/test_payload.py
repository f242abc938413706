"""What all mounts say together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._source.content import Payload, came_by_env_from
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot

A, B = Mount("/a"), Mount("/b", prefix="P_")


def snapshot(mount: Mount, files: Mapping[str, bytes], **settings_files: bytes) -> Snapshot:
    return Snapshot(mount, Token(), present=True, files=files, settings_files=settings_files)


def test_names_and_contents() -> None:
    """A name is prefix and key, with `__` for each slash; content is text, or bytes."""
    payload = Payload([snapshot(B, {"sub/deep/X": b"caf\xc3\xa9\n", "RAW": b"\xff"})])
    variables = payload.variables
    assert variables.keys() == {"P_sub__deep__X", "P_RAW"}
    assert variables["P_sub__deep__X"].content == "caf\u00e9\n"
    assert variables["P_RAW"].content == b"\xff"
    assert variables["P_sub__deep__X"].source == "/b/sub/deep/X"


def test_the_last_mount_wins() -> None:
    """Where several mounts provide a name the last one's counts, and all are known."""
    payload = Payload([snapshot(A, {"P_X": b"a", "Y": b"a"}), snapshot(B, {"X": b"b"})])
    assert payload.variables["P_X"].content == "b"
    assert [variable.content for variable in payload.provided("P_X")] == ["a", "b"]
    assert [variable.name for variable in payload.of_mount(A)] == ["Y"]
    assert [variable.name for variable in payload.of_mount(B)] == ["P_X"]


def test_only_the_same_mount_is_taken_from_before() -> None:
    """What has not changed is the same variable, unless another mount has taken the place."""
    before = Payload([snapshot(A, {"X": b"1", "Y": b"1"})])
    after = Payload([snapshot(A, {"X": b"1", "Y": b"2"})], before)
    assert after.variables["X"] is before.variables["X"]
    assert after.variables["Y"].content == "2"
    assert after.variables["Y"].places is before.variables["Y"].places
    moved = Payload([snapshot(B, {"X": b"1"})], before)
    assert moved.variables["P_X"].source == "/b/X"


def test_nothing_shows_a_value() -> None:
    """The representations show names and sources only."""
    payload = Payload([snapshot(A, {"X": b"a secret"})])
    assert repr(payload) == f"Payload(1 variables, revision {payload.digest[:16]})"
    assert repr(payload.variables["X"]) == "Variable('X' of /a/X)"


@pytest.mark.parametrize(
    "other",
    [
        [snapshot(A, {"X": b"2"})],
        [snapshot(A, {"Y": b"1"})],
        [snapshot(A, {"X": b"1", "Y": b""})],
        [snapshot(A, {"X": b"1"}, Y=b"1")],
        [snapshot(A, {"X": b"1"}), snapshot(B, {})],
        [snapshot(A, {}), snapshot(B, {"X": b"1"})],
        [],
    ],
)
def test_a_digest_is_of_all_content(other: list[Snapshot]) -> None:
    """Other content, names, settings files or order have another digest; equal ones the same."""
    one, same = ([snapshot(mount, {"X": b"1"})] for mount in (A, B))
    assert Payload(one).digest == Payload(same).digest
    assert Payload(one).digest != Payload(other).digest


@pytest.mark.parametrize(
    ("mounts", "value", "expected"),
    [
        ([(None, b"1")], "1", True),
        ([(None, b"1")], "2", False),
        ([(None, b"1")], None, False),
        ([(True, b"1")], "2", True),
        ([(False, b"1")], "1", False),
        ([(None, b"1"), (None, b"2")], "1", True),
        ([(True, b"1"), (False, b"2")], "3", True),
    ],
)
def test_came_by_env_from(
    mounts: list[tuple[bool | None, bytes]], value: str | None, expected: bool
) -> None:
    """A value came by `envFrom` if a mount says so, or says nothing and has that very value."""
    payload = Payload(
        [
            snapshot(Mount(f"/{number}", env_from=env_from), {"X": content})
            for number, (env_from, content) in enumerate(mounts)
        ]
    )
    assert came_by_env_from(payload.provided("X"), value) is expected
