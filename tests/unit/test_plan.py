"""What publishing does to the environment, as values."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._environ.overlay import Environment
from dynaconf_k8s_reload._environ.rules import MAX_BYTES, Decision, decide
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot

PROCESS = {"HAS": "process's"}


def decided(
    files: dict[str, bytes],
    options: Options | None = None,
    *,
    mirror: bool | None = None,
    secret: bool = False,
) -> Decision:
    mount = Mount("/config", mirror=mirror, secret=secret)
    payload = Payload([Snapshot(mount, Token(), files=files)])
    return decide(payload, options or Options(), Names("MYAPP,other"), PROCESS.get)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("PLAIN", b"1", None),
        ("_under_9", b"", None),
        ("FITS", b"x" * (MAX_BYTES - 6), None),
        ("LARGE", b"x" * (MAX_BYTES - 6), "128 KiB or more with its name"),
        ("WIDE", "\u20ac".encode() * (MAX_BYTES // 3), "128 KiB or more with its name"),
        ("a-b", b"1", "not a C identifier"),
        ("9A", b"1", "not a C identifier"),
        ("a.b", b"1", "not a C identifier"),
        ("caf\u00e9", b"1", "not a C identifier"),
        ("NEWLINE\n", b"1", "not a C identifier"),
        ("BYTES", b"\xff", "not UTF-8 text"),
        ("SURROGATE", b"\xed\xa0\x80", "not UTF-8 text"),
        ("NUL", b"\0", "contains NUL"),
        ("PATH", b"1", "protected"),
        ("LD_ANY", b"1", "protected"),
        ("PATHS", b"1", None),
    ],
)
def test_why_a_name_is_not_mirrored(name: str, content: bytes, reason: str | None) -> None:
    """Only what a shell can name and a process can start with is mirrored; all becomes settings."""
    decision = decided({name: content})
    assert decision.skipped.get(name) == reason
    assert decision.claims == {name: content.decode() if reason is None else None}
    if reason is None:
        subprocess.run(["/bin/true"], env={name: content.decode()}, check=True)


@pytest.mark.parametrize(
    "name", ["X_FOR_DYNACONF", "YAML", "MYAPP_YAML", "OTHER_YAML", "DYNACONF_INCLUDE"]
)
@pytest.mark.parametrize("mirrored", [True, False])
def test_reserved_names(name: str, mirrored: bool) -> None:
    """A reserved name is reported and nothing else, whatever the mount and whichever the prefix."""
    decision = decided({name: b"1"}, Options(k8s_env_wins=("*",)), mirror=mirrored)
    assert decision.skipped[name] == "reserved for dynaconf, so it is not a setting either"
    assert not decision.claims
    assert not decision.shadowed


def test_a_mount_that_is_not_mirrored() -> None:
    """Nothing is reported of a mount that is not to be mirrored."""
    for secret in (False, True):
        files = {"A": b"1", "PATH": b"1", "NUL": b"\0"}
        decision = decided(files, mirror=secret, secret=secret)
        assert decision.claims == {"A": None, "PATH": None, "NUL": None}
        assert not decision.skipped


def test_what_the_process_has_wins_where_it_shall() -> None:
    """A name that matches wins if the process has it, whatever the mount."""
    for secret in (False, True):
        decision = decided(
            {"HAS": b"1", "LACKS": b"1"}, Options(k8s_env_wins=("*",)), secret=secret
        )
        assert decision.shadowed == {"HAS": "process's"}
        assert decision.skipped == {"HAS": "shadowed by k8s_env_wins"}
        assert decision.claims.keys() == {"LACKS"}


def test_a_locale_that_lacks_letters() -> None:
    """Text that the locale cannot encode is skipped, since no variable could hold it."""
    program = (
        "from dynaconf_k8s_reload import Mount\n"
        "from dynaconf_k8s_reload._source.reading import Snapshot\n"
        "from dynaconf_k8s_reload._source.fingerprint import Token\n"
        "from dynaconf_k8s_reload._model.options import Options\n"
        "from dynaconf_k8s_reload._source.content import Payload\n"
        "from dynaconf_k8s_reload._environ.rules import decide\n"
        "from dynaconf_k8s_reload._model.names import Names\n"
        "files = {'EURO': b'\\xe2\\x82\\xac', 'A': b'a'}\n"
        "payload = Payload([Snapshot(Mount('/config'), Token(), files=files)])\n"
        "skipped = decide(payload, Options(), Names(), {}.get).skipped\n"
        "print({name: str(why) for name, why in skipped.items()})\n"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **plain},
    )
    assert run.stdout == "{'EURO': 'not text in the locale of the process'}\n"


def test_the_environment_as_it_will_be() -> None:
    """It holds what is provided, not what is released, and otherwise what the process has."""
    process = {"A": "process's", "B": "process's", "C": "process's"}
    environment = Environment(process, {"A": "mount's", "D": "mount's"}, {"B": None, "E": "back"})
    expected = {"A": "mount's", "C": "process's", "D": "mount's", "E": "back"}
    assert {name: environment[name] for name in expected} == expected
    assert environment.get("B") is environment.get("F") is None
    assert dict(environment) == environment.as_dict() == expected
    assert len(environment) == 4
    assert repr(environment) == "Environment(2 mirrored names)"

    process["C"] = "later"
    environment.settle()
    process.update(B="the application's", E="the application's")
    assert environment["C"] == "later"
    assert environment["B"] == environment["E"] == "the application's"
    assert environment["A"] == "mount's"


def test_what_code_writes_meanwhile_is_in_the_environment_as_it_will_be() -> None:
    """A name that code has written or removed while it is built is the process's own again."""
    process = {"A": "code's", "C": "process's"}
    environment = Environment(process, {"A": "mount's", "D": "mount's"}, {"B": "back"})
    for name in ("A", "B"):
        environment.uncover(name)
    expected = {"A": "code's", "C": "process's", "D": "mount's"}
    assert dict(environment) == environment.as_dict() == expected
