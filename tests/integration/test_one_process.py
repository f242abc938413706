"""All settings objects of a process that share a mount move together, or stay together."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Validator

from dynaconf_k8s_reload import _dynaconf, get_reloader
from dynaconf_k8s_reload._dynaconf import state
from dynaconf_k8s_reload._source import reader, reading
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def loaded(*mounts: Any, **options: Any) -> Any:
    settings = make_settings(*mounts, k8s_resync=0.05, **options)
    assert settings.A
    return settings


def calls_of(function: Callable[[], object]) -> int:
    """Count the calls that a function comes to: its work, on a machine however busy."""
    count = itertools.count()
    gc.disable()
    sys.setprofile(lambda *_: next(count) and None)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return next(count)


def test_what_one_object_refuses_reaches_nothing(volume: AtomicWriter) -> None:
    """Content that one object refuses changes no other object and no variable."""
    volume.write({"MYAPP_A": "1"})
    strict = loaded(volume.directory, validators=[Validator("A", lte=5)])
    lenient = loaded(volume.directory)
    volume.write({"MYAPP_A": "9"})
    eventually(lambda: get_reloader(strict).status().rejected)
    assert (strict.A, lenient.A, os.environ["MYAPP_A"]) == (1, 1, "1")
    assert get_reloader(lenient).reload().outcome == "rejected"
    assert get_reloader(lenient).status().last_error == get_reloader(strict).status().last_error
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: (strict.A, lenient.A, os.environ["MYAPP_A"]) == (2, 2, "2"))
    assert get_reloader(lenient).status().last_error is None


def test_an_object_that_is_configured_anew_may_take_what_it_has_refused(
    volume: AtomicWriter,
) -> None:
    """What it refused itself does not count: its new options may be meant for that content."""
    volume.write({"MYAPP_A": "1"})
    settings, other = loaded(volume.directory), loaded(volume.directory)
    settings.configure(validators=[Validator("A", lte=5)])
    volume.write({"MYAPP_A": "9"})
    eventually(lambda: get_reloader(other).status().rejected)
    settings.configure(validators=[Validator("A", lte=10)])
    assert settings.A == 9
    assert get_reloader(other).reload().outcome == "applied"


def test_an_object_made_while_others_check_a_correction_follows_it(volume: AtomicWriter) -> None:
    """What they refused before does not keep it from the content that they are about to serve."""
    checking, go_on = threading.Event(), threading.Event()

    def is_small(value: int) -> bool:
        if value == 3:
            checking.set()
            assert go_on.wait(30)
        return value < 5

    volume.write({"MYAPP_A": "1"})
    strict = loaded(volume.directory, validators=[Validator("A", condition=is_small)])
    volume.write({"MYAPP_A": "9"})
    eventually(lambda: get_reloader(strict).status().rejected)
    volume.write({"MYAPP_A": "3"})
    assert checking.wait(30)
    later = loaded(volume.directory)
    go_on.set()
    eventually(lambda: (strict.A, later.A, os.environ["MYAPP_A"]) == (3, 3, "3"))
    eventually(lambda: get_reloader(later).status().last_error is None)
    volume.write({"MYAPP_A": "4"})
    eventually(lambda: (strict.A, later.A, os.environ["MYAPP_A"]) == (4, 4, "4"))


def test_what_refused_is_gone_so_the_content_is_tried_again(volume: AtomicWriter) -> None:
    """Once the object that refused has been stopped or collected, the others take the content."""
    volume.write({"MYAPP_A": "1"})
    lenient = loaded(volume.directory)
    stopped = loaded(volume.directory, validators=[Validator("A", lte=5)])
    volume.write({"MYAPP_A": "9"})
    eventually(lambda: get_reloader(lenient).status().rejected)
    get_reloader(stopped).stop()
    eventually(lambda: lenient.A == 9)
    collected = loaded(volume.directory, validators=[Validator("A", lte=10)])
    volume.write({"MYAPP_A": "11"})
    eventually(lambda: get_reloader(lenient).status().rejected == 2)
    del collected
    eventually(lambda: lenient.A == 11, collecting=True)
    assert stopped.A == 1


def test_fifty_objects_read_a_mount_once(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap has its mount read once, however many objects follow, and none costs a thread."""
    volume.write({"MYAPP_A": "1"})
    every = [loaded(volume.directory)]
    eventually(lambda: get_reloader(every[0]).status().watching == "events")
    threads = threading.active_count()
    every += [loaded(volume.directory) for _ in range(49)]
    eventually(lambda: threading.active_count() <= threads)
    reads: list[str] = []
    real = reading.read

    def read(mount: Any, **options: Any) -> Any:
        reads.append(mount.path)
        return real(mount, **options)

    monkeypatch.setattr(reader, "read", read)
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: all(each.A == 2 for each in every))
    eventually(lambda: all(get_reloader(each).status().generation == 2 for each in every))
    assert len(reads) == 1


def test_many_objects_cost_no_more_than_as_many_builds(volume: AtomicWriter) -> None:
    """A swap takes at most the calls of a build for each object, and of one read for all.

    What the mount holds is parsed once: the objects share it.
    """
    swaps = itertools.count()

    def calls_of_swap() -> int:
        volume.write({f"MYAPP_K{n:03}": f"{next(swaps)}" for n in range(100)})
        return calls_of(lambda: reload(settings))

    def reload(settings: Any) -> None:
        assert get_reloader(settings).reload().outcome == "applied"

    settings, *others = [make_settings(volume.directory, k8s_watch=False) for _ in range(8)]
    volume.write({})
    settings.as_dict()
    for _ in range(2):
        one = calls_of_swap()
    read = calls_of(lambda: reading.read(get_reloader(settings).options.k8s_mounts[0]))
    for each in (settings, *others):
        each.as_dict()
        reloader = get_reloader(each)
        reloader._process.join(reloader.generations)  # as if it watched, without a thread
    for _ in range(2):
        eight = calls_of_swap()
    assert {each.K000 for each in others} == {settings.K000}
    assert len({id(get_reloader(each).generations.payload) for each in (settings, *others)}) == 1
    assert eight <= 8 * (one - read) + read


def test_objects_are_joined_through_others(tmp_path: Path) -> None:
    """Two objects without a mount in common move together if a third one shares one with each."""
    left, right = AtomicWriter(tmp_path / "left"), AtomicWriter(tmp_path / "right")
    left.write({"MYAPP_A": "1"})
    right.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    first = loaded(left.directory)
    both = loaded(left.directory, right.directory, validators=[Validator("B", lte=5)])
    last = loaded(right.directory)
    right.write({"MYAPP_A": "1", "MYAPP_B": "9"})
    eventually(lambda: get_reloader(last).status().rejected)
    left.write({"MYAPP_A": "2"})
    assert get_reloader(first).reload().outcome == "rejected"
    assert (first.A, both.B, last.B) == (1, 1, 1)
    right.write({"MYAPP_A": "1", "MYAPP_B": "2"})
    eventually(lambda: (first.A, both.B, last.B) == (2, 2, 2))


def test_objects_without_a_mount_in_common_do_not_wait(tmp_path: Path) -> None:
    """A build that takes long holds up nobody who has other mounts."""
    slow, fast = AtomicWriter(tmp_path / "slow"), AtomicWriter(tmp_path / "fast")
    slow.write({"MYAPP_A": "1"})
    fast.write({"MYAPP_A": "1"})
    one, other = loaded(slow.directory, k8s_watch=False), loaded(fast.directory, k8s_watch=False)
    entered, go = threading.Event(), threading.Event()

    @get_reloader(one).on_validate
    def check(*_: Any) -> None:
        entered.set()
        assert go.wait(10)

    slow.write({"MYAPP_A": "2"})
    thread = threading.Thread(target=get_reloader(one).reload)
    thread.start()
    assert entered.wait(10)
    fast.write({"MYAPP_A": "2"})
    assert get_reloader(other).reload().outcome == "applied"
    go.set()
    thread.join()
    assert one.A == 2


def test_an_object_that_does_not_watch_moves_alone(volume: AtomicWriter) -> None:
    """Others' swaps leave it, and its own reload leaves the others."""
    volume.write({"MYAPP_A": "1"})
    watching = loaded(volume.directory)
    alone = loaded(volume.directory, k8s_watch=False)
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: watching.A == 2)
    assert alone.A == 1
    assert get_reloader(alone).reload().outcome == "applied"
    assert alone.A == 2


def test_an_object_without_a_mirror_leaves_variables_alone(volume: AtomicWriter) -> None:
    """Its reload unsets nothing that another object mirrors."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    mirrored = loaded(volume.directory, k8s_watch=False)
    alone = loaded(volume.directory, k8s_watch=False, k8s_mirror=False)
    volume.write({"MYAPP_A": "1"})
    assert get_reloader(alone).reload().outcome == "applied"
    assert (mirrored.B, os.environ["MYAPP_B"]) == (1, "1")
    get_reloader(mirrored).reload()
    assert "MYAPP_B" not in os.environ


def test_a_collected_object_leaves_the_variables_to_the_others(tmp_path: Path) -> None:
    """What the last loaded one had written is what the remaining one has, soon after."""
    first, second = AtomicWriter(tmp_path / "first"), AtomicWriter(tmp_path / "second")
    first.write({"MYAPP_A": "first"})
    second.write({"MYAPP_A": "second"})
    remaining = loaded(first.directory)
    temporary = loaded(second.directory)
    assert os.environ["MYAPP_A"] == "second"
    del temporary
    eventually(lambda: os.environ["MYAPP_A"] == "first", collecting=True)
    assert remaining.A == "first"


def test_what_a_collected_object_has_left_is_put_right_without_a_watch(tmp_path: Path) -> None:
    """An object that is not watched has its variables again with its next reload()."""
    first, second = AtomicWriter(tmp_path / "first"), AtomicWriter(tmp_path / "second")
    first.write({"MYAPP_A": "first"})
    second.write({"MYAPP_A": "second"})
    remaining = loaded(first.directory, k8s_watch=False)
    temporary = loaded(second.directory, k8s_watch=False)
    assert os.environ["MYAPP_A"] == "second"
    del temporary
    gc.collect()
    get_reloader(remaining).reload()
    assert os.environ["MYAPP_A"] == "first"


@pytest.mark.parametrize(
    ("written", "left"),
    [("second", "first"), ("the application's", "the application's"), (None, None)],
)
def test_an_object_made_after_one_was_collected_gives_back_what_that_had(
    tmp_path: Path, written: str | None, left: str | None
) -> None:
    """A first load hands over its variable, unless the application has written or removed it."""
    first, second, third = (AtomicWriter(tmp_path / name) for name in ("first", "second", "third"))
    first.write({"MYAPP_A": "first"})
    second.write({"MYAPP_A": "second"})
    third.write({"MYAPP_B": "third"})
    remaining = loaded(first.directory, k8s_watch=False)
    temporary = loaded(second.directory, k8s_watch=False)
    if written is None:
        del os.environ["MYAPP_A"]
    else:
        os.environ["MYAPP_A"] = written
    del temporary
    gc.collect()
    make_settings(third.directory, k8s_watch=False).get("B")
    assert (remaining.A, os.environ.pop("MYAPP_A", None)) == ("first", left)


def test_the_watch_does_not_reach_an_object_that_is_being_collected(volume: AtomicWriter) -> None:
    """It would publish once more what has just been dropped from the process's status."""
    volume.write({"MYAPP_A": "1"})
    settings = loaded(volume.directory)
    reloader = get_reloader(settings)
    watch = reloader.following._watch
    assert watch is not None
    reached: list[object] = []
    weakref.finalize(reloader, lambda: reached.append(watch.owner()))
    del settings, reloader
    eventually(lambda: reached, collecting=True)
    assert reached == [None]


def test_what_a_hook_makes_belongs_to_the_candidate(volume: AtomicWriter) -> None:
    """An object made during a build has that generation's content, is not led, and is made anew."""
    volume.write({"MYAPP_A": "1"})
    made: list[Any] = []

    def hook(_: Any) -> dict[str, Any]:
        made.append(loaded(volume.directory))
        return {"OWN": made[-1]}

    settings = loaded(volume.directory, post_hooks=[hook])
    generation = get_reloader(settings).status().generation
    eventually(lambda: get_reloader(settings).status().watching == "events")
    threads = threading.active_count()
    for count in (2, 3, 4):
        volume.write({"MYAPP_A": str(count)})
        eventually(lambda count=count: count == settings.A)  # type: ignore[misc] # reason: mypy infers no type for it
        assert count == settings.OWN.A
        assert settings.OWN is made[-1]
    part = get_reloader(made[-1])
    assert part.status().watching == "off"
    assert part.status().generation == 1
    part.start()
    assert part.status().watching == "off"
    assert get_reloader(settings).status().generation == generation + 3
    eventually(lambda: threading.active_count() <= threads)


def test_a_part_of_a_refused_candidate_leaves_nothing(volume: AtomicWriter) -> None:
    """Neither the variables nor the watch know of an object that a refused build has made."""
    volume.write({"MYAPP_A": "1"})

    def hook(_: Any) -> dict[str, Any]:
        return {"SEEN": make_settings(volume.directory, envvar_prefix=False).MYAPP_A}

    settings = loaded(volume.directory, post_hooks=[hook], validators=[Validator("A", lte=5)])
    volume.write({"MYAPP_A": "9", "OTHER_B": "1"})
    assert get_reloader(settings).reload().outcome == "rejected"
    assert (settings.SEEN, os.environ["MYAPP_A"], "OTHER_B" in os.environ) == (1, "1", False)


def test_objects_and_memory_stay_level(volume: AtomicWriter) -> None:
    """Reloads with a hook that makes objects, and keeps all settings, pile up nothing, nor work."""
    volume.write({"MYAPP_A": "1"})

    def hook(settings: Any) -> dict[str, Any]:
        # Up to Python 3.13, `tuple(generator)` fails in a thread while another holds all objects.
        own = [loaded(volume.directory, k8s_watch=False) for _ in range(2)]
        return {**settings.as_dict(), "FIRST": own[0], "SECOND": own[1]}

    settings = loaded(volume.directory, post_hooks=[hook], k8s_watch=False)
    reloader = get_reloader(settings)
    counts: list[int] = []
    calls: list[int] = []
    for count in range(2, 42):
        volume.write({"MYAPP_A": str(count)})
        if count % 10 == 1:
            gc.collect()
            counts.append(len(gc.get_objects()))
            calls.append(calls_of(reloader.reload))
        else:
            assert reloader.reload().outcome == "applied"
    assert count == settings.SECOND.A
    # One that stayed from each reload would be several thousand; Python 3.15 collects some late.
    assert max(counts[1:]) - min(counts[1:]) < 2_000
    assert max(calls[1:]) < 1.05 * min(calls[1:])


def test_settings_kept_as_a_setting_are_the_live_ones(volume: AtomicWriter) -> None:
    """A setting whose value is the settings object itself never is an earlier generation of it."""
    volume.write({"MYAPP_A": "1"})
    settings = loaded(
        volume.directory, k8s_watch=False, post_hooks=[lambda given: {"ITSELF": given}]
    )
    for count in (2, 3):
        volume.write({"MYAPP_A": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
        assert settings.ITSELF is settings
        assert count == settings.ITSELF.A
    held = _dynaconf.unwrap(settings)
    hooked = [each.values() for each in state.get(held, "loaded_hooks").values()]
    noted = [*state.get(held, "loaded_by_loaders").values(), *itertools.chain(*hooked)]
    found = [each["ITSELF"] for each in noted if each and "ITSELF" in each]
    assert found
    assert all(each is settings for each in found)


def test_an_object_that_joins_while_a_reload_waits_moves_along(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who moves together is asked once more when all locks are held."""
    volume.write({"MYAPP_A": "1"})
    first = loaded(volume.directory)
    reloader = get_reloader(first)
    real = type(reloader._process)._members
    made: list[Any] = []
    once = threading.Lock()

    def members(process: Any, member: Any) -> Any:
        found = real(process, member)
        if once.acquire(blocking=False):  # never released
            made.append(loaded(volume.directory))
        return found

    monkeypatch.setattr(type(reloader._process), "_members", members)
    volume.write({"MYAPP_A": "2"})
    # The watch may be the one that asks, while this thread reloads.
    reloader.reload()
    eventually(lambda: first.A == 2 and [each.A for each in made] == [2])
    assert get_reloader(made[0]).reload().outcome == "unchanged"
