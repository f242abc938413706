"""Reading is not held up by busy threads, and the interpreter is left as it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._model.mount import Mount
from dynaconf_k8s_reload._source import reader, switch_interval
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload._source.snapshot import Snapshot
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

USUAL = 0.004


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL)
    yield
    sys.setswitchinterval(before)


def test_turns_are_short_within_and_as_before_after() -> None:
    """Also where what is done within fails."""

    def fail() -> None:
        assert sys.getswitchinterval() == pytest.approx(switch_interval.SHORT)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), switch_interval.short_switch_interval():
        fail()
    assert sys.getswitchinterval() == pytest.approx(USUAL)


def test_an_interval_that_is_as_short_is_left_alone() -> None:
    """Neither the application's own short one nor that of another reader is touched."""
    sys.setswitchinterval(switch_interval.SHORT / 2)
    with switch_interval.short_switch_interval():
        assert sys.getswitchinterval() == pytest.approx(switch_interval.SHORT / 2)
    assert sys.getswitchinterval() == pytest.approx(switch_interval.SHORT / 2)


@pytest.mark.parametrize("chosen", [0.003, switch_interval.SHORT / 2])
def test_what_the_application_sets_meanwhile_stays(chosen: float) -> None:
    """The application's own word is the last one."""
    with switch_interval.short_switch_interval():
        sys.setswitchinterval(chosen)
    assert sys.getswitchinterval() == pytest.approx(chosen)


def test_a_child_forked_meanwhile_has_the_usual_interval() -> None:
    """It does not inherit the short interval for ever."""
    with switch_interval.short_switch_interval():
        child = os.fork()
        if child == 0:
            os._exit(0 if sys.getswitchinterval() == pytest.approx(USUAL) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_loading_shortens_the_interval(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a first load while it reads, and a reload from its beginning to its end."""
    intervals: list[float] = []

    def noted(mount: Mount) -> Snapshot:
        intervals.append(sys.getswitchinterval())
        return read(mount)

    monkeypatch.setattr(reader, "read", noted)
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    assert sys.getswitchinterval() == pytest.approx(USUAL)
    reloader.on_validate(lambda *_: intervals.append(sys.getswitchinterval()))
    volume.write({"MYAPP_A": "2"})
    assert reloader.reload().outcome == "applied"
    assert intervals == pytest.approx([switch_interval.SHORT] * 3)
    assert sys.getswitchinterval() == pytest.approx(USUAL)
