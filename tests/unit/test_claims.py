"""Who wins among several owners, and whose claim is out of date."""

from __future__ import annotations

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._environ.owners import up_to_date, wanted
from dynaconf_k8s_reload._environ.rules import Claims
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot


def payload(generation: str, files: dict[str, bytes], *mounts: Mount) -> Payload:
    return Payload(
        [
            Snapshot(mount, Token((1, 1), generation), committed_at=float(generation), files=files)
            for mount in mounts
        ]
    )


SHARED, OWN = Mount("/shared"), Mount("/own", prefix="OWN_")
CLAIMS = {"A": "1", "B": "1", "OWN_A": "1", "OWN_B": "1"}
BEFORE = payload("1", {"A": b"1", "B": b"1"}, SHARED, OWN)


def test_the_last_one_wins() -> None:
    """The text is that of the last owner who wants one."""
    ranked: list[Claims] = [{"A": "1", "B": "1"}, {"A": "2", "B": None, "C": None}]
    assert wanted(ranked) == {"A": "2", "B": "1"}


def test_what_a_shared_mount_has_otherwise_is_left_out() -> None:
    """What changed or went there goes from the claims; another mount's claims stay."""
    now = payload("2", {"A": b"1", "B": b"\xff"}, SHARED)
    assert up_to_date(CLAIMS, BEFORE, now) == {"A": "1", "OWN_A": "1", "OWN_B": "1"}


def test_what_is_not_read_here_stays() -> None:
    """A key that this reader's mount excludes tells nothing about the other's claim."""
    now = payload("2", {}, Mount("/shared", exclude=("A",)))
    assert up_to_date(CLAIMS, BEFORE, now) == {"A": "1", "OWN_A": "1", "OWN_B": "1"}


def test_an_older_reading_changes_nothing() -> None:
    """Only what was committed later counts, and only of a mount that both read."""
    assert up_to_date(CLAIMS, BEFORE, payload("0", {}, SHARED)) is CLAIMS
    assert up_to_date(CLAIMS, BEFORE, payload("2", {}, Mount("/other"))) is CLAIMS
    assert up_to_date(CLAIMS, BEFORE, BEFORE) is CLAIMS


def test_bytes_are_compared_as_they_are() -> None:
    """A key that holds no text is claimed too, without a text."""
    before = payload("1", {"A": b"\xff"}, SHARED)
    assert up_to_date({"A": None}, before, payload("2", {"A": b"\xff"}, SHARED)) == {"A": None}
