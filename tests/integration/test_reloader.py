"""The reloader as an application uses it, and many reloads in one process."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload import Changes, ConfigError, Reloader, get_reloader
from dynaconf_k8s_reload._dynaconf import attached, unwrap
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings, open_descriptors

RELOADS = 20_000 if os.environ.get("NIGHTLY") else 3_000


def test_settings_and_environment_follow(volume: AtomicWriter) -> None:
    """With nothing but the loader in the list, a change of the mount arrives by itself."""
    volume.write({"MYAPP_A": "1", "GONE": "1"})
    settings = make_settings(volume.directory)
    live = unwrap(settings)
    assert (settings.A, os.environ["MYAPP_A"]) == (1, "1")
    volume.write({"MYAPP_A": "2", "NEW": "x"})
    eventually(lambda: settings.A == 2)
    assert (live.A, live["NEW"], settings.get("GONE")) == (2, "x", None)
    assert unwrap(settings) is live
    eventually(lambda: os.environ["MYAPP_A"] == "2")
    assert "GONE" not in os.environ


def test_a_result_says_what_was_done(volume: AtomicWriter, settings: Any) -> None:
    """``reload()`` gives outcome, generation and changes, and shows no value."""
    volume.write({"A": "1", "B": "1"})
    reloader = get_reloader(settings)
    assert reloader.reload().outcome == "unchanged"
    volume.write({"A": "hunter2", "C": "1"})
    result = reloader.reload()
    assert (result.outcome, result.generation, result.error) == ("applied", 2, None)
    assert {k: c.kind for k, c in result.changes.items()} == {
        "A": "modified",
        "B": "removed",
        "C": "added",
    }
    assert "hunter2" not in repr(result)
    assert result.seconds > 0


def test_the_same_content_elsewhere_is_no_change(volume: AtomicWriter, settings: Any) -> None:
    """A directory that was written anew with the same content is noticed, and nothing is built."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    before = reloader.status().mounts[0].generation_dir
    volume.write({"A": "2"})
    volume.write({"A": "1"})
    assert reloader.reload().outcome == "unchanged"
    assert reloader.status().mounts[0].generation_dir != before
    assert reloader.status().generation == 1


def test_get_reloader_takes_every_kind_of_settings_object(
    volume: AtomicWriter, settings: Any
) -> None:
    """Lazy, set up or not, the object behind, and a snapshot: all have the one reloader."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    assert isinstance(reloader, Reloader)
    assert get_reloader(unwrap(settings)) is reloader
    assert get_reloader(reloader.snapshot()) is reloader
    assert get_reloader(settings.from_env("production")) is reloader


def test_get_reloader_says_what_is_missing() -> None:
    """Settings without the loader, and what is not settings, are refused with the remedy."""
    with pytest.raises(ConfigError, match=r'loaders=\["dynaconf_k8s_reload.loader"\]'):
        get_reloader(Dynaconf())
    with pytest.raises(ConfigError, match="give what Dynaconf"):
        get_reloader("settings")


def test_decorators_give_the_function_itself(settings: Any) -> None:
    """A decorated function can be called and unsubscribed by its name."""
    reloader = get_reloader(settings)

    def function(*_: Any) -> None: ...

    assert reloader.on_change("A")(function) is function
    assert reloader.on_validate(function) is function
    assert reloader.on_error(function) is function
    reloader.unsubscribe(function)
    assert (len(reloader.generations.checks), reloader._notifier._board.subscribers) == (0, ())
    with pytest.raises(ConfigError, match=r"write @reloader.on_change\(\)"):
        reloader.on_change(function)  # type: ignore[arg-type] # reason: the mistake that it is about


def test_starting_and_stopping_may_be_repeated(volume: AtomicWriter, settings: Any) -> None:
    """Each does nothing where nothing is to do, and ``restore`` gives the environment back."""
    volume.write({"MYAPP_A": "1"})
    reloader = get_reloader(settings)
    with reloader as entered:
        assert entered is reloader
        watch = reloader.following._watch
        reloader.start()
        assert reloader.following._watch is watch
    reloader.stop()
    assert os.environ["MYAPP_A"] == "1"
    reloader.start()
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: os.environ["MYAPP_A"] == "2")
    reloader.stop(restore=True)
    assert "MYAPP_A" not in os.environ
    assert settings.A == 2


def test_a_reloader_that_nobody_holds_is_collected(volume: AtomicWriter) -> None:
    """Settings that go take their reloader, watch and threads with them, and are not listed."""
    before = set(threading.enumerate())
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_mirror=False)
    told: list[Any] = []
    get_reloader(settings).on_change()(told.append)
    volume.write({"A": "2"})
    eventually(lambda: told)
    reloader = get_reloader(settings)
    reference, following = weakref.ref(reloader), reloader._process._watching
    assert list(following) == [reloader.key]
    del settings, reloader
    eventually(lambda: reference() is None, collecting=True)
    eventually(lambda: set(threading.enumerate()) == before)
    eventually(lambda: not following)


def test_what_code_completes_in_place_stays(volume: AtomicWriter, settings: Any) -> None:
    """A value that did not change keeps its identity, and what code has added to it."""
    volume.write({"DB": "{name = 'x'}", "LIST": "[1, 2]", "A": "1"})
    reloader = get_reloader(settings)
    settings.store["DB"]["completed"] = 5
    held = settings.DB, settings.LIST
    has_identity = settings.LIST is held[1]  # up to 3.2 each reader is given a list of its own
    volume.write({"DB": "{name = 'x'}", "LIST": "[1, 2]", "A": "2"})
    assert sorted(reloader.reload().changes) == ["A"]
    assert (settings.DB is held[0], settings.LIST is held[1]) == (True, has_identity)
    assert settings.DB.completed == 5


@pytest.mark.parametrize("table", ["{table}", "{{q = {table}}}", "[{table}]"])
def test_the_order_of_a_table_is_that_of_the_mount(
    volume: AtomicWriter, settings: Any, table: str
) -> None:
    """Keys that only change places do so in the settings, too, as after a restart."""
    reloader = get_reloader(settings)
    for keys in ("{x = 1, y = 2}", "{y = 2, x = 1}", "{y = 2, z = 3, x = 1}"):
        volume.write({"A": table.format(table=keys)})
        assert reloader.reload().outcome == "applied"
        assert str(settings.A) == str(make_settings(volume.directory, k8s_watch=False).A)


def test_an_unchanged_value_keeps_no_earlier_generation(
    volume: AtomicWriter, settings: Any
) -> None:
    """What stays the object that it is belongs to the newest generation, with all that it holds."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    anchors: list[weakref.ref[Any]] = []
    for count in range(2, 6):
        volume.write({"A": str(count), "DB": "{a = {b = [{c = 1}]}}"})
        assert reloader.reload().outcome == "applied"
        assert settings.DB.a.b[0].c == 1
        anchors.append(weakref.ref(attached(settings._wrapped).generation.anchor))
    eventually(lambda: [each() is None for each in anchors[:-1]] == [True] * 3, collecting=True)


def test_what_code_fills_in_place_stays(volume: AtomicWriter, settings: Any) -> None:
    """An empty value that code has filled is like any other: kept while its source says the same.

    Django fills ``DATABASES`` so where a project has none.
    """
    volume.write({"DB": "@json {}", "SITE": '@json {"options": {}}', "A": "1"})
    reloader = get_reloader(settings)
    settings.store["DB"]["completed"] = 5
    settings.store["SITE"]["options"]["completed"] = 6
    held = settings.DB, settings.SITE
    volume.write({"DB": "@json {}", "SITE": '@json {"options": {}}', "A": "2"})
    assert sorted(reloader.reload().changes) == ["A"]
    assert (settings.DB is held[0], settings.SITE is held[1]) == (True, True)
    assert (settings.DB.completed, settings.SITE.options.completed) == (5, 6)
    volume.write({"DB": "@json {}", "SITE": '@json {"name": "x"}', "A": "2"})
    assert sorted(reloader.reload().changes) == ["SITE.name", "SITE.options.completed"]
    assert settings.SITE == {"name": "x"}
    volume.write({"DB": '@json {"name": "y"}', "SITE": '@json {"name": "x"}', "A": "2"})
    assert "DB.name" in reloader.reload().changes
    assert settings.DB == {"name": "y"}


def test_an_empty_value_that_code_takes_away_comes_back(
    volume: AtomicWriter, settings: Any
) -> None:
    """What nobody has filled was not completed: the reload puts it back, and the changes say so."""
    volume.write({"SITE": '@json {"options": {}, "name": "x"}', "A": "1"})
    reloader = get_reloader(settings)
    del settings.store["SITE"]["options"]
    volume.write({"SITE": '@json {"options": {}, "name": "x"}', "A": "2"})
    assert sorted(reloader.reload().changes) == ["A", "SITE.options"]
    assert settings.SITE == {"name": "x", "options": {}}


def test_what_code_writes_over_in_place_is_lost_and_told(
    volume: AtomicWriter, settings: Any
) -> None:
    """A nested write does not survive a reload, as with dynaconf's own, and the changes say so."""
    volume.write({"DB": "{name = 'x'}", "A": "1"})
    reloader = get_reloader(settings)
    settings.store["DB"]["name"] = "in place"
    volume.write({"DB": "{name = 'x'}", "A": "2"})
    changes = reloader.reload().changes
    assert sorted(changes) == ["A", "DB.name"]
    assert (changes["DB.name"].old, changes["DB.name"].new) == ("in place", "x")


def test_a_check_sees_the_environment_as_it_will_be(volume: AtomicWriter, settings: Any) -> None:
    """The candidate's own look-ups and lazy values have the new variables, the process not yet."""
    volume.write({"MYAPP_A": "1"})
    reloader = get_reloader(settings)
    seen: list[Any] = []

    @reloader.on_validate
    def check(candidate: Any, changes: Changes) -> None:
        seen.extend([candidate.environ["MYAPP_A"], candidate.L, os.environ["MYAPP_A"]])
        seen.append(settings.A)

    volume.write({"MYAPP_A": "2", "L": "@format {env[MYAPP_A]}"})
    assert reloader.reload().outcome == "applied"
    assert seen == ["2", "2", "1", 1]
    assert settings.environ is os.environ


def test_an_interrupted_reload_changes_nothing(volume: AtomicWriter, settings: Any) -> None:
    """Ctrl-C in a check reaches the caller of ``reload()``, and the next call works."""
    volume.write({"MYAPP_A": "1"})
    reloader = get_reloader(settings)
    interrupts = [KeyboardInterrupt()]

    @reloader.on_validate
    def check(*_: Any) -> None:
        if interrupts:
            raise interrupts.pop()

    volume.write({"MYAPP_A": "2"})
    with pytest.raises(KeyboardInterrupt):
        reloader.reload()
    assert (settings.A, os.environ["MYAPP_A"], reloader.status().rejected) == (1, "1", 0)
    assert reloader.reload().outcome == "applied"


def test_reloads_take_turns(volume: AtomicWriter, settings: Any) -> None:
    """Threads that call ``reload()`` at once get it done once for each content."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    volume.write({"A": "2"})
    results: list[str] = []
    start = threading.Barrier(4)

    def call() -> None:
        start.wait(10)
        results.append(reloader.reload().outcome)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["applied", "unchanged", "unchanged", "unchanged"]


def test_a_status_is_given_while_a_candidate_is_built(volume: AtomicWriter, settings: Any) -> None:
    """Nothing waits for a slow check: status, snapshot and reads are of the generation before."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    entered, go = threading.Event(), threading.Event()

    @reloader.on_validate
    def check(*_: Any) -> None:
        entered.set()
        assert go.wait(10)

    volume.write({"A": "2"})
    thread = threading.Thread(target=reloader.reload)
    thread.start()
    assert entered.wait(10)
    assert (reloader.status().generation, reloader.snapshot().A, settings.A) == (1, 1, 1)
    go.set()
    thread.join(10)
    assert reloader.status().generation == 2


def test_an_applied_reload_is_one_line(
    volume: AtomicWriter, settings: Any, logged: pytest.LogCaptureFixture
) -> None:
    """INFO with keys, kinds, counts and time; a value that the application wrote is DEBUG."""
    volume.write({"MYAPP_A": "hunter2", "B": "1"})
    reloader = get_reloader(settings)
    os.environ["B"] = "mine"
    volume.write({"MYAPP_A": "hunter3", "B": "1"})
    logged.clear()
    reloader.following.changed()
    (info,) = [r.getMessage() for r in logged.records if r.levelno == logging.INFO]
    assert info.startswith(
        "generation 2 applied: 1 setting changed (A modified), 2 variables in 1 mount, "
    )
    assert "hunter" not in logged.text
    assert (
        "written by the application and left so until the mount's value changes: B" in logged.text
    )
    os.environ["B"] = "1"


def test_what_differs_and_what_is_contested_is_told(
    volume: AtomicWriter,
    tmp_path: Path,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A boot value that differs, and a name that two applications provide, are warnings."""
    monkeypatch.setenv("MYAPP_A", "hunter-boot")
    other = AtomicWriter(tmp_path / "other")
    volume.write({"MYAPP_A": "hunter-mount"})
    other.write({"MYAPP_A": "hunter-other"})
    first = make_settings(volume.directory, k8s_watch=False)
    second = make_settings(other.directory, k8s_watch=False)
    assert (first.A, second.A) == ("hunter-mount", "hunter-other")
    text = logged.text
    assert "MYAPP_A had another value in the process" in text
    assert "env_from=True" in text
    assert "MYAPP_A is provided by" in text
    assert "hunter" not in text
    get_reloader(second).stop(restore=True)
    get_reloader(first).stop(restore=True)
    assert os.environ["MYAPP_A"] == "hunter-boot"


def test_async_code_may_reload(volume: AtomicWriter, settings: Any) -> None:
    """A coroutine that reloads gets its own change delivered on the loop."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)

    async def main() -> Any:
        told: asyncio.Queue[Any] = asyncio.Queue()

        @reloader.on_change("A")
        async def changed(changes: Changes) -> None:
            await told.put(changes["A"].new)

        volume.write({"A": "2"})
        await asyncio.get_running_loop().run_in_executor(None, reloader.reload)
        return await asyncio.wait_for(told.get(), 10)

    assert asyncio.run(main()) == 2


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.heavy
def test_many_reloads_leave_nothing(tmp_path: Path) -> None:
    """Over 3,000 reloads nothing grows: memory, descriptors, threads, nor dynaconf's histories."""
    volume = AtomicWriter(tmp_path / "config")
    (tmp_path / "local.toml").write_text('[default]\nX = 1\nL = "@insert 0 5"\n')

    def write(count: int) -> None:
        content = {f"MYAPP_K{n}": f"{count}" for n in range(10)}
        content |= {"A": str(count), "app.toml": f"[default]\nFILE = {count}\n"}
        content |= {"LAZY": "@format {this.A}", "DB__x": str(count), f"NAME_{count % 7}": "x"}
        volume.write(content)

    write(0)
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        L=[1],
        settings_files=[str(tmp_path / "local.toml"), str(volume.directory / "app.toml")],
        post_hooks=[lambda s: {"H": s.A}],
        validators=[Validator("A", gte=0), Validator("FILE", gte=0, env=["production"])],
    )
    reloader = get_reloader(settings)
    child = settings.from_env("production")
    settings.set("BY_CODE", object())
    told: list[int] = []
    reloader.on_change("A")(lambda changes: told.append(changes["A"].new))
    figures: list[tuple[int, int, int, int]] = []
    for count in range(1, RELOADS + 1):
        write(count)
        result = reloader.reload()
        assert result.outcome == "applied", result.error
        if count % 10 == 0:
            assert str(count) == reloader.snapshot().LAZY
            assert (child.A, settings.FILE, settings.H, list(settings.L)) == (
                count,
                count,
                count,
                [5, 1],
            )
        if count % 250 == 0:
            gc.collect()
            objects = len(gc.get_objects())
            figures.append((resident(), open_descriptors(), threading.active_count(), objects))
            print(count, *figures[-1])
    eventually(lambda: told[-1] == RELOADS)
    later = figures[3:]  # after the first 1,000
    memory = [figure[0] for figure in later]
    assert memory[-1] - memory[0] < 2 * 1024 * 1024
    assert len({figure[1] for figure in later}) == 1
    assert len({figure[2] for figure in later}) == 1
    assert max(figure[3] for figure in later) - min(figure[3] for figure in later) < 500


def test_a_fork_before_the_first_load() -> None:
    """A reloader whose settings are still being loaded takes a fork, and says what it waits for."""
    reloader = Reloader(Options())
    reloader.following.renew_after_fork()
    with pytest.raises(ConfigError, match="still being loaded"):
        reloader.reload()


def test_a_reload_that_outlasts_stop_publishes_nothing(volume: AtomicWriter) -> None:
    """`stop(restore=True)` is the last word, and a later `start()` finds what was not published."""
    volume.write({"MYAPP_Z": "1"})
    settings = make_settings(volume.directory)
    reloader = get_reloader(settings)
    inside, go_on = threading.Event(), threading.Event()

    @reloader.on_validate
    def slow(*_: Any) -> None:
        inside.set()
        assert go_on.wait(30)

    volume.write({"MYAPP_Z": "2"})
    assert inside.wait(10)
    reloader.stop(restore=True)
    assert "MYAPP_Z" not in os.environ
    go_on.set()
    with reloader.lock:  # the reload has ended
        assert (settings.Z, reloader.status().generation) == (1, 1)
    assert "MYAPP_Z" not in os.environ
    reloader.unsubscribe(slow)
    reloader.start()
    eventually(lambda: settings.Z == 2)
    assert os.environ["MYAPP_Z"] == "2"
