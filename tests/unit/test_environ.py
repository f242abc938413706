"""The mirror on an environment of its own: what is planned is what is then done."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._environ import mirror as mirror_module
from dynaconf_k8s_reload._environ.mirror import Mirror
from dynaconf_k8s_reload._environ.overlay import Plan, Proposal
from dynaconf_k8s_reload._environ.process import PROCESS, Held, put, texts_of
from dynaconf_k8s_reload._environ.writing import put_all
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot

OWNER, OTHER = 1, 2


def payload(text: Mapping[str, str], path: str = "/config") -> Payload:
    files = {name: value.encode() for name, value in text.items()}
    return Payload([Snapshot(Mount(path), Token(), present=True, files=files)])


def planned(
    mirror: Mirror,
    owner: int,
    held: Payload,
    options: Options | None = None,
    names: Names | None = None,
) -> Plan:
    proposal = Proposal(held, (options or Options(), names or Names("MYAPP")))
    return mirror.plan({owner: proposal})[1][owner]


def publish(
    mirror: Mirror, owner: int, text: Mapping[str, str], options: Options | None = None
) -> list[str]:
    held = payload(text, f"/config{owner}")
    mirror.apply({owner: planned(mirror, owner, held, options)})
    return mirror.drifted(owner)


NAMES = ["A", "B", "C"]
TEXTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "2", "3"]))


def test_a_copy_is_what_os_environ_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken from where CPython keeps the bytes, whatever they are."""
    monkeypatch.setitem(os.environb, b"ODD", b"caf\xc3\xa9 \xff")
    monkeypatch.setenv("EMPTY", "")
    assert texts_of(PROCESS) == dict(os.environ)
    assert texts_of({"A": "1"}) == {"A": "1"}


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([(), ("A",), ("*",)]))
def test_a_plan_says_what_will_be(
    boot: dict[str, str], updates: list[dict[str, str]], wins: tuple[str, ...]
) -> None:
    """Planning changes nothing, and the environment is afterwards what the plan said."""
    process = dict(boot)
    mirror, options = Mirror(process), Options(k8s_env_wins=wins)
    for update in updates:
        before, held = dict(process), payload(update)
        plan = planned(mirror, OWNER, held, options, Names())
        assert process == before
        expected = plan.environment.as_dict()
        mirror.apply({OWNER: plan})
        assert process == expected
        assert not update.keys() & plan.beneath().keys()
        assert plan.beneath() == {n: t for n, t in process.items() if n not in update}


class Processes(RuleBasedStateMachine):
    """Two reloaders that load, stop, restore and are collected, against a model of one name.

    Without writes of the application the variable is the text of the last loaded live claim, else
    of the last loaded stopped one, else what was there before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.process = {"OTHER": "untouched", "A": "before"}
        self.mirror = Mirror(self.process)
        self.claims: dict[int, str | None] = {}
        self.live: set[int] = set()

    @rule(owner=st.sampled_from([OWNER, OTHER]), text=st.sampled_from([None, "1", "2"]))
    def load(self, owner: int, text: str | None) -> None:
        publish(self.mirror, owner, {} if text is None else {"A": text})
        self.claims[owner] = text
        self.live.add(owner)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), restore=st.booleans())
    def stop(self, data: st.DataObject, restore: bool) -> None:
        owner = data.draw(st.sampled_from(sorted(self.live)))
        self.mirror.stop(owner, restore=restore)
        self.live.discard(owner)
        if restore:
            del self.claims[owner]

    @invariant()
    def the_last_live_claim_is_there(self) -> None:
        ranked = sorted(self.claims, key=lambda owner: owner in self.live)
        texts = [text for owner in ranked if (text := self.claims[owner]) is not None]
        assert self.process["A"] == (texts[-1] if texts else "before")
        assert self.process["OTHER"] == "untouched"


test_ownership = Processes.TestCase
test_ownership.settings = settings(max_examples=40, stateful_step_count=15)


class Full(dict[str, str]):
    """An environment that takes so many more writes, and then none."""

    left = 1000

    def __setitem__(self, name: str, text: str) -> None:
        if not self.left:
            raise MemoryError(name)
        self.left -= 1
        super().__setitem__(name, text)


def test_what_could_not_be_put_back_is_mended_by_the_next_writing() -> None:
    """A variable that has kept a refused text is not taken for one that the application wrote."""
    process = Full()
    mirror = Mirror(process)
    publish(mirror, OWNER, {"A": "1", "B": "1"})
    process.left = 1
    with pytest.raises(MemoryError, match="B"):
        publish(mirror, OWNER, {"A": "2", "B": "2"})
    assert process == {"A": "2", "B": "1"}
    assert mirror.drifted(OWNER) == []
    process.left = 1000
    assert publish(mirror, OWNER, {"A": "1", "B": "1"}) == []
    assert process == {"A": "1", "B": "1"}


def test_what_is_given_back_to_a_removed_variable() -> None:
    """A value that returns is planned for also where the application has removed the variable."""
    process = {"MYAPP_A": "before"}
    mirror = Mirror(process)
    publish(mirror, OWNER, {"MYAPP_A": "1"})
    del process["MYAPP_A"]
    plan = planned(mirror, OWNER, payload({}))
    assert plan.beneath() == {"MYAPP_A": "before"}
    mirror.apply({OWNER: plan})
    assert process == {"MYAPP_A": "before"}


def test_other_options_decide_anew() -> None:
    """What was decided by others is not taken over, although the content is the same."""
    mirror, held = Mirror({}), payload({"MYAPP_A": "1", "PATH_OF_MINE": "1"})
    mirror.apply({OWNER: planned(mirror, OWNER, held)})
    guarded = Options(k8s_protected=("*_OF_MINE",))
    claims = planned(mirror, OWNER, held, guarded).decision.claims
    assert dict(claims) == {"MYAPP_A": "1", "PATH_OF_MINE": None}
    claims = planned(mirror, OWNER, held).decision.claims
    assert dict(claims) == {"MYAPP_A": "1", "PATH_OF_MINE": "1"}


def test_what_others_wrote_is_told() -> None:
    """After applying, the variables are known that somebody else has written or removed since."""
    process: dict[str, str] = {}
    mirror = Mirror(process)
    assert publish(mirror, OWNER, {"A": "1", "B": "1"}) == []
    process["A"] = "the application's"
    del process["B"]
    assert publish(mirror, OWNER, {"A": "1", "B": "1"}) == ["A", "B"]
    assert publish(mirror, OWNER, {"A": "2", "B": "1"}) == ["B"]
    assert process == {"A": "2"}


WRITES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([None, "1", "2", "x"])))


def write(process: dict[str, str], writes: list[tuple[str, str | None]]) -> None:
    for name, text in writes:
        put(process, name, text)


@given(
    TEXTS,
    st.lists(st.tuples(TEXTS, WRITES, WRITES, *[st.booleans()] * 2), min_size=1, max_size=4),
)
def test_whatever_others_write_is_seen(
    boot: dict[str, str],
    steps: list[tuple[dict[str, str], list[Any], list[Any], bool, bool]],
) -> None:
    """Before planning, between planning and applying, whoever asks meanwhile: nothing escapes."""
    process = dict(boot)
    mirror = Mirror(process)
    for update, before, between, asked, put_right in steps:
        write(process, before)
        proposal = Proposal(payload(update), (Options(), Names()))
        plan = mirror.plan({OWNER: proposal}, put_right=put_right)[1][OWNER]
        write(process, between)
        left = dict(process)
        if asked:
            mirror.drifted(OWNER)
        mirror.apply({OWNER: plan}, put_right=put_right)
        drifted = mirror.drifted(OWNER)
        assert drifted == [name for name, text in update.items() if process.get(name) != text]
        assert all(process.get(name) == left.get(name) for name in drifted)
        assert not (put_right and drifted)


class SoftTimeLimitError(BaseException):
    """What a task queue raises in its handler."""


@contextmanager
def signalled(moment: int, handle: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Call `handle` at the so-manieth moment at which CPython would run a signal handler.

    These are where a function of the mirror's begins, and after each call that it makes. Gives what
    tells whether there was such a moment.
    """
    directory, moments = os.path.dirname(mirror_module.__file__), itertools.count(1)
    happened: list[int] = []

    def look(frame: Any, event: str, _: object) -> None:
        mine = os.path.dirname(frame.f_code.co_filename) == directory
        if mine and event in ("call", "c_return") and next(moments) == moment:
            sys.setprofile(None)
            happened.append(moment)
            handle()

    sys.setprofile(look)
    try:
        yield lambda: bool(happened)
    finally:
        sys.setprofile(None)


def interrupt() -> None:
    raise SoftTimeLimitError


@pytest.mark.parametrize("then", [{"A": "1", "B": "1"}, {"A": "2", "C": "2"}])
def test_a_signal_handler_that_raises(then: dict[str, str]) -> None:
    """At whatever moment of applying: nothing is written, or all; what is applied next is right."""
    before, after = {"A": "1", "B": "1"}, {"A": "2", "C": "2"}
    for moment in itertools.count(1):
        with mock.patch.dict(os.environ):
            mirror, others = Mirror(), dict(os.environ)
            publish(mirror, OWNER, before)
            plan = planned(mirror, OWNER, payload(after))
            with suppress(SoftTimeLimitError), signalled(moment, interrupt) as happened:
                mirror.apply({OWNER: plan})
            known = mirror._ledger.owner(OWNER).claims
            assert dict(os.environ) == {**others, **known}, moment
            assert publish(mirror, OWNER, then) == []
            assert dict(os.environ) == {**others, **then}, moment
            if not happened():
                assert moment > 30
                return


def test_a_signal_handler_that_loads_another_object() -> None:
    """At whatever moment: what each has mirrored is known, and put back where it is stopped."""
    for moment in itertools.count(1):
        with mock.patch.dict(os.environ):
            mirror, others = Mirror(), dict(os.environ)
            publish(mirror, OWNER, {"A": "1", "B": "1"})
            load = partial(publish, mirror, OTHER, {"D": "1"})
            with signalled(moment, load) as happened:
                publish(mirror, OWNER, {"A": "2", "C": "2"})
            if not happened():
                assert moment > 60
                return
            assert dict(os.environ) == {**others, "A": "2", "C": "2", "D": "1"}, moment
            assert mirror.drifted(OWNER) == mirror.drifted(OTHER) == []
            mirror.stop(OTHER, restore=True)
            mirror.stop(OWNER, restore=True)
            assert dict(os.environ) == others, moment


def test_contested_names() -> None:
    """A name is contested while two live owners want different texts from different sources."""
    mirror = Mirror({})
    publish(mirror, OWNER, {"A": "1", "B": "1", "PATH": "1"})
    publish(mirror, OTHER, {"A": "2", "B": "1", "C": "1", "PATH": "2"})
    assert mirror.contested(OWNER) == {"A": "/config2/A"}
    assert mirror.contested(OTHER) == {"A": "/config1/A"}
    assert mirror.contested(3) == {}
    mirror.stop(OWNER)
    assert mirror.contested(OTHER) == {}


def test_owners_of_a_mount_that_was_absent_at_first() -> None:
    """What one has read when nothing was there is older than what another reads of it now."""
    process: dict[str, str] = {}
    mirror = Mirror(process)
    absent = Payload([Snapshot(Mount("/config"), Token(), present=False)])
    files = {"A": b"1"}
    there = Snapshot(Mount("/config"), Token((1, 1)), present=True, files=files, committed_at=1.0)
    for owner, held in ((OTHER, absent), (OWNER, Payload([there]))):
        mirror.apply({owner: planned(mirror, owner, held)})
    assert process == {"A": "1"}
    assert planned(mirror, OTHER, absent).environment.as_dict() == {"A": "1"}


def test_what_has_stopped_and_starts_again_knows_what_the_process_had() -> None:
    """The mount's own first value, which was put back, does not show once its key is gone."""
    process = {"A": "first"}
    mirror = Mirror(process)
    publish(mirror, OWNER, {"A": "first"})
    publish(mirror, OWNER, {"A": "second"})
    mirror.stop(OWNER, restore=True)
    assert process == {"A": "first"}
    publish(mirror, OWNER, {"A": "second"})
    assert process == {"A": "second"}
    publish(mirror, OWNER, {})
    assert process == {}


def test_stopping_what_never_loaded() -> None:
    """To stop an owner that has no claims changes nothing."""
    process = {"A": "1"}
    Mirror(process).stop(OWNER, restore=True)
    assert process == {"A": "1"}


def test_a_name_that_another_secret_mount_provides_too() -> None:
    """A value that only another's unmirrored mount names is the process's own, and stays."""
    process = {"MYAPP_A": "1"}
    mirror = Mirror(process)
    publish(mirror, OTHER, {"MYAPP_A": "1"}, Options(k8s_mirror=False))
    assert planned(mirror, OWNER, payload({})).beneath() == {"MYAPP_A": "1"}


def test_a_lock_held_at_a_fork() -> None:
    """A child of a fork gets a lock that no thread of its parent's holds."""
    mirror = Mirror({})
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with mirror._lock:
            locked.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    old = mirror._lock
    mirror.renew_lock()
    publish(mirror, OWNER, {"A": "1"})
    assert mirror._lock is not old
    done.set()
    thread.join()


def test_the_process_s_environment() -> None:
    """By default the environment is the process's, down to what C code and children see."""
    program = (
        "import subprocess\n"
        "from dynaconf_k8s_reload._environ.mirror import MIRROR\n"
        "from test_environ import publish\n"
        "publish(MIRROR, 1, {'OF_THE_MIRROR': 'x'})\n"
        "print(subprocess.check_output(['sh', '-c', 'echo $OF_THE_MIRROR']).decode(), end='')\n"
        "publish(MIRROR, 1, {})\n"
        "print(subprocess.check_output(['sh', '-c', 'echo ${OF_THE_MIRROR-gone}']).decode())\n"
    )
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["x", "gone"]


def test_what_cannot_be_put_back_keeps_nothing_else_from_it() -> None:
    """An interrupted writing is undone name by name; what interrupted it is what is told."""

    class Stubborn(dict[str, str]):
        def __setitem__(self, name: str, text: str) -> None:
            if name == "C" or (name, text) == ("B", "old"):
                raise OSError(name)
            super().__setitem__(name, text)

    environ = Stubborn(A="old", B="old", C="old")
    error = put_all(Held(environ), dict.fromkeys("ABC", "new"))
    assert repr(error) == "OSError('C')"
    assert environ == {"A": "old", "B": "new", "C": "old"}
