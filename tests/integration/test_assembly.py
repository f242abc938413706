"""What code does to complete settings by dynaconf's own means is done to each candidate again."""

from __future__ import annotations

import copy
import os
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Validator
from dynaconf.base import Settings
from dynaconf.loaders import env_loader, toml_loader
from dynaconf.utils.functional import empty

from dynaconf_k8s_reload import _dynaconf, get_reloader
from dynaconf_k8s_reload._dynaconf.generation import attached, is_copy
from dynaconf_k8s_reload._reload import passing
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def reloaded(settings: Any, volume: AtomicWriter, content: dict[str, str]) -> Any:
    volume.write(content)
    result = get_reloader(settings).reload()
    assert result.outcome == "applied", result.error
    return result.changes


def test_a_file_that_code_loads_is_read_again(settings: Any, volume: AtomicWriter) -> None:
    """``load_file`` has the file of now loaded, over what was loaded before it."""
    further = Path(volume.directory).parent / "further.toml"
    further.write_text("FURTHER = 1\nA = 'of the file'\n")
    volume.write({"MYAPP_A": "1"})
    settings.load_file(str(further))
    further.write_text("FURTHER = 2\nA = 'of the file'\n")
    changes = reloaded(settings, volume, {"MYAPP_A": "2"})
    assert (settings.FURTHER, settings.A) == (2, "of the file")
    assert sorted(changes) == ["FURTHER"]


def test_what_a_file_that_code_loads_drops_goes(settings: Any, volume: AtomicWriter) -> None:
    """The first reload tells what the file has dropped from what code has filled in."""
    further = Path(volume.directory).parent / "further.toml"
    further.write_text("DB = {a = 1, b = 2}\nKEPT = {a = 1}\nEMPTIED = {a = 1}\n")
    volume.write({"MYAPP_A": "1"})
    settings.load_file(str(further))
    settings.store["KEPT"]["filled"] = 2
    held = settings.KEPT
    further.write_text("DB = {b = 2}\nKEPT = {a = 1}\nEMPTIED = {}\n")
    changes = reloaded(settings, volume, {"MYAPP_A": "2"})
    assert (settings.DB, settings.EMPTIED) == ({"b": 2}, {})
    assert sorted(changes) == ["A", "DB.a", "EMPTIED", "EMPTIED.a"]
    assert settings.KEPT is held
    assert held == {"a": 1, "filled": 2}


def test_values_with_an_identifier_are_set_again(settings: Any, volume: AtomicWriter) -> None:
    """``set`` and ``update`` with a loader identifier stay, nested, merged, and in their order."""
    volume.write({"MYAPP_A": "1", "MYAPP_DB__x": "1"})
    held = object()
    settings.set("OBJECT", held, loader_identifier="code")
    settings.set("DB__y", 1, loader_identifier="code")
    settings.update({"MORE": [1]}, loader_identifier="code")
    settings.set("MORE", [2], loader_identifier="code", merge=True)
    settings.set("A", "first", loader_identifier="code")
    settings.set("A", "second", loader_identifier="code")
    for count in (2, 3):
        changes = reloaded(settings, volume, {"MYAPP_A": str(count), "MYAPP_DB__x": str(count)})
        assert sorted(changes) == ["DB.x"]
        assert settings.OBJECT is held
        assert ({"x": count, "y": 1}, "second") == (settings.DB, settings.A)
        assert sorted(settings.MORE) == [1, 2]


def test_what_is_set_often_does_not_pile_up(settings: Any, volume: AtomicWriter) -> None:
    """Only the last of many calls that set the same is done again."""
    volume.write({"MYAPP_A": "1"})
    for count in range(100):
        settings.set("POLLED", count, loader_identifier="code")
        settings.update({"SAME": 1, "UPDATED": count}, loader_identifier="code")
        settings.update(loader_identifier="code", KEYWORD=count)
        settings.setdefault("DEFAULT", count)
    calls: list[str] = []

    class Counting(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def set(self, key: Any, *args: Any, **kwargs: Any) -> None:
            calls.append(str(key))
            super().set(key, *args, **kwargs)

    other = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Counting)
    for count in range(100):
        other.set("POLLED", count, loader_identifier="code")
    calls.clear()
    reloaded(other, volume, {"MYAPP_A": "2"})
    assert calls.count("POLLED") == 1
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert (settings.POLLED, settings.SAME, settings.UPDATED) == (99, 1, 99)
    assert (settings.KEYWORD, settings.DEFAULT) == (99, 0)
    assert len(attached(settings._wrapped).assembly) == 4


@pytest.mark.parametrize(
    ("values", "options", "kept"),
    [
        ([{"a": 1}, {"b": [2]}, {"c": 3}], {}, 1),
        ([[1], [2, 3], (4, 5)], {}, 1),
        ([Path("a"), Path("b")], {}, 1),
        (["1", "2"], {"tomlfy": True}, 1),
        (["[1]", "[2, 'dynaconf_merge']"], {"tomlfy": True}, 2),
        ([{"a": 1}, {"b": 2}], {"merge": True}, 2),
        ([[1], [2]], {"merge_enabled": True}, 2),
        ([{"a": 1}, {"b": 2, "dynaconf_merge": True}], {}, 2),
        ([[1], "@merge 2"], {}, 2),
    ],
)
def test_containers_that_are_set_often_do_not_pile_up(
    volume: AtomicWriter, values: list[Any], options: dict[str, Any], kept: int
) -> None:
    """Only the last is set again, unless it was merged with those before it."""
    volume.write({"MYAPP_A": "1"})
    merges = {name: value for name, value in options.items() if name == "merge_enabled"}
    settings = make_settings(volume.directory, k8s_watch=False, **merges)
    keywords = {name: value for name, value in options.items() if name != "merge_enabled"}
    for value in values:
        settings.set("POLLED", copy.deepcopy(value), loader_identifier="code", **keywords)
    found = copy.deepcopy(settings.POLLED)
    assert len(attached(settings._wrapped).assembly) == kept
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert found == settings.POLLED


def test_an_update_is_more_than_its_dictionary(settings: Any, volume: AtomicWriter) -> None:
    """What ``update`` was given as keywords is set again, too."""
    volume.write({"MYAPP_A": "1"})
    settings.update({"ONE": 1}, "code", False, TWO=2)
    settings.update({"ONE": 3}, loader_identifier="code")
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert (settings.ONE, settings.TWO) == (3, 2)


def test_all_that_set_and_update_take_may_be_positional(
    settings: Any, volume: AtomicWriter
) -> None:
    """Every argument stands where dynaconf has it, the one that asks for a merge included."""
    volume.write({"MYAPP_LIST": "[1]", "MYAPP_MORE": "[1]"})
    settings.update({"LIST": [2]}, "code", False, True)
    settings.set("MORE", [2], "code", False, empty, None, empty, True)
    assert [sorted(settings.LIST), sorted(settings.MORE)] == [[1, 2], [1, 2]]
    reloaded(settings, volume, {"MYAPP_LIST": "[3]", "MYAPP_MORE": "[3]"})
    assert [sorted(settings.LIST), sorted(settings.MORE)] == [[2, 3], [2, 3]]


def test_what_is_set_beside_a_publication_is_set_again(settings: Any, volume: AtomicWriter) -> None:
    """Settings that another thread publishes meanwhile are not taken for a copy of themselves."""
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    held = [vars(settings._wrapped)]
    reloaded(settings, volume, {"MYAPP_A": "2"})
    held.append(vars(settings._wrapped))

    class Moving:
        """Has another dictionary each time that somebody looks."""

        @property
        def __dict__(self) -> Any:  # type: ignore[override] # reason: it is looked up like any other
            return held.pop(0)

    assert not is_copy(Moving())
    assert is_copy(copy.copy(settings._wrapped))


def test_a_default_stays_a_default(settings: Any, volume: AtomicWriter) -> None:
    """``setdefault`` by code gives way to what a mount brings, and returns when that goes."""
    volume.write({"MYAPP_A": "1"})
    settings.setdefault("LEVEL", "INFO")
    reloaded(settings, volume, {"MYAPP_A": "1", "MYAPP_LEVEL": "DEBUG"})
    assert settings.LEVEL == "DEBUG"
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert settings.LEVEL == "INFO"


class Held(dict[str, Any]):
    """A dictionary that dynaconf's loader takes for settings, since 3.3 with this attribute."""

    filter_strategy = None


def test_the_environment_that_code_loads(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``env_loader.load`` by code loads the next generation's variables, also the first of them."""
    settings = make_settings(volume.directory, k8s_watch=False, k8s_prefixed_only=True)
    volume.write({})
    assert settings.get("COLOR") is None
    env_loader.load(settings, identifier="again")
    env_loader.load_from_env(settings, "OTHER", identifier="other")
    monkeypatch.setenv("NOBODY_NAME", "x")
    held = Held()
    env_loader.load_from_env(held, "NOBODY")
    assert held["NAME"] == "x"
    reloaded(settings, volume, {"MYAPP_COLOR": "red", "OTHER_SHAPE": "round"})
    assert (settings.COLOR, settings.SHAPE) == ("red", "round")
    reloaded(settings, volume, {"MYAPP_COLOR": "blue"})
    assert (settings.COLOR, settings.get("SHAPE")) == ("blue", None)


def test_an_application_without_loaders(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says ``loaders=[]`` has its environment loaded when it does so, not before."""
    monkeypatch.setenv("LOADERS_FOR_DYNACONF", '["dynaconf_k8s_reload.loader"]')
    volume.write({"MYAPP_COLOR": "red"})
    settings = make_settings(volume.directory, k8s_watch=False, loaders=[])
    assert "COLOR" not in settings
    assert os.environ["MYAPP_COLOR"] == "red"
    env_loader.load(settings, identifier="later")
    assert settings.COLOR == "red"
    reloaded(settings, volume, {"MYAPP_COLOR": "blue"})
    assert (settings.COLOR, os.environ["MYAPP_COLOR"]) == ("blue", "blue")


def test_loaders_that_the_variable_drops_are_named(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    """A loader of the application that the variable's list has not is named in a warning."""
    module: Any = types.ModuleType("own_loader")
    module.load = lambda obj, *_, **__: obj.update({"OWN": 1}, loader_identifier="own")
    monkeypatch.setitem(__import__("sys").modules, "own_loader", module)
    monkeypatch.setenv("LOADERS_FOR_DYNACONF", '["dynaconf_k8s_reload.loader"]')
    volume.write({"MYAPP_A": "1"})
    own = ["own_loader", "dynaconf.loaders.env_loader"]
    settings = make_settings(volume.directory, k8s_watch=False, loaders=own)
    assert settings.A == 1
    (warning,) = [r.getMessage() for r in logged.records if r.levelname == "WARNING"]
    assert "own_loader no longer runs" in warning
    assert "env_loader" not in warning
    both = '["own_loader", "dynaconf_k8s_reload.loader"]'
    monkeypatch.setenv("LOADERS_FOR_DYNACONF", both)
    logged.clear()
    settings = make_settings(volume.directory, k8s_watch=False, loaders=own)
    assert (settings.A, settings.OWN) == (1, 1)
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert (settings.A, settings.OWN) == (2, 1)
    assert not [r for r in logged.records if r.levelname == "WARNING"]


def test_late_validators_judge_the_assembled_settings(settings: Any, volume: AtomicWriter) -> None:
    """A validator that code registers sees what code has set, in the candidate."""
    volume.write({"MYAPP_A": "1"})
    settings.set("LIMIT", 5, loader_identifier="code")
    settings.validators.register(Validator("LIMIT", gte=1), Validator("A", lte=5))
    settings.validators.validate()
    reloaded(settings, volume, {"MYAPP_A": "2"})
    volume.write({"MYAPP_A": "9"})
    assert get_reloader(settings).reload().outcome == "rejected"
    assert (settings.A, settings.LIMIT) == (2, 5)


ADDING: dict[str, Any] = {
    "set": lambda settings, n, _: settings.set("N", n, loader_identifier="code"),
    "update": lambda settings, n, _: settings.update({"N": n}, loader_identifier="code"),
    "setdefault": lambda settings, n, _: settings.setdefault(f"N{n % 3}", n),
    "load_file": lambda settings, _, path: settings.load_file(path),
    "env_loader": lambda settings, *_: env_loader.load(settings, identifier="code"),
}


@pytest.mark.parametrize("add", ADDING.values(), ids=ADDING)
def test_code_that_adds_all_the_time_does_not_keep_an_update_away(
    volume: AtomicWriter, tmp_path: Path, add: Callable[[Any, int, str], object]
) -> None:
    """While a generation is built another thread adds; both are there at once, nothing is lost."""
    (tmp_path / "further.toml").write_text("FURTHER = 1\n")
    adding, enough = threading.Event(), threading.Event()
    added: list[int] = []
    wrong: list[Any] = []

    def go_on() -> None:
        while not enough.is_set():
            number = len(added)
            add(settings, number, str(tmp_path / "further.toml"))
            if settings.get("N", number) != number:
                wrong.append((number, settings.N))
            added.append(number)
            adding.set()

    def hook(_: Any) -> dict[str, Any]:
        adding.clear()
        adding.wait(10 if thread.is_alive() else 0)
        return {}

    thread = threading.Thread(target=go_on)
    volume.write({"MYAPP_A": "0"})
    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    assert settings.A == 0
    thread.start()
    try:
        for text in ("1", "2", "3"):
            reloaded(settings, volume, {"MYAPP_A": text})
    finally:
        enough.set()
        thread.join()
    assert (settings.A, wrong) == (3, [])


def test_what_code_adds_while_a_generation_is_published_is_in_that_one(
    volume: AtomicWriter,
) -> None:
    """A call that has begun with one generation and ends with the next is done to both."""

    class Reloading(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def set(self, key: Any, *args: Any, **kwargs: Any) -> None:
            super().set(key, *args, **kwargs)
            if key == "ADDED" and settings.A == 1:
                volume.write({"MYAPP_A": "2"})
                assert get_reloader(settings).reload().outcome == "applied"

    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Reloading)
    settings.set("ADDED", 1, loader_identifier="code")
    assert (settings.A, settings.ADDED) == (2, 1)
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert settings.ADDED == 1


def test_what_cannot_be_done_again_is_named(
    settings: Any, volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A setting that goes with a reload stands in the changes, and in one warning."""
    extra = Path(volume.directory).parent / "extra.toml"
    extra.write_text("EXTRA = 1\n")
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    toml_loader.load(settings, filename=str(extra), env="main", silent=False)
    assert settings.EXTRA == 1
    changes = reloaded(settings, volume, {"MYAPP_A": "2"})
    assert {key: changes[key].kind for key in changes} == {"A": "modified", "EXTRA": "removed"}
    (warning,) = [r.getMessage() for r in logged.records if r.levelname == "WARNING"]
    assert "EXTRA" in warning
    logged.clear()
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert not [r for r in logged.records if r.levelname == "WARNING"]


def test_an_object_that_was_populated_follows(settings: Any, volume: AtomicWriter) -> None:
    """Changed keys are put anew, removed ones go, and what code has changed since is left alone."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1", "MYAPP_C": "1", "MYAPP_LIST": "[1]"})
    target, some = types.SimpleNamespace(KEPT=1), types.ModuleType("some")
    settings.populate_obj(target)
    settings.populate_obj(some, ["A"])
    assert (target.A, target.B, some.A) == (1, 1, 1)
    target.C = "the application's"
    held = target.LIST
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_NEW": "1", "MYAPP_LIST": "[1]"})
    assert (target.A, target.C, target.NEW, target.KEPT) == (2, "the application's", 1, 1)
    assert not hasattr(target, "B")
    assert target.LIST is held
    assert (some.A, hasattr(some, "NEW")) == (2, False)
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert (target.A, some.A, hasattr(target, "NEW")) == (3, 3, False)


@pytest.mark.parametrize("times", [[{}, {}], [{}, {"keys": ["A", "B"]}], [{"keys": ["A"]}, {}]])
def test_an_object_that_was_populated_twice_follows(
    settings: Any, volume: AtomicWriter, times: list[dict[str, Any]]
) -> None:
    """What goes goes there, too, whichever time brought it, and the same is not noted twice."""
    volume.write({"MYAPP_A": "1", "MYAPP_GOES": "1", "MYAPP_COMES_BACK": "1"})
    target = types.SimpleNamespace(COMES_BACK="own")
    for arguments in times:
        settings.populate_obj(target, **arguments)
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_NEW": "1"})
    assert (target.A, target.NEW, target.COMES_BACK) == (2, 1, "own")
    assert not hasattr(target, "GOES")
    reloaded(settings, volume, {"MYAPP_A": "3", "MYAPP_GOES": "2"})
    assert (target.A, target.GOES, hasattr(target, "NEW")) == (3, 2, False)
    for _ in range(3):
        for arguments in times:
            settings.populate_obj(target, **arguments)
    assert len(attached(settings._wrapped).exports) == len(times) - (times[0] == times[1])


def test_what_code_puts_between_two_times_stays(settings: Any, volume: AtomicWriter) -> None:
    """An object keeps what code has put over a setting before the object was populated again."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    target = types.SimpleNamespace()
    settings.populate_obj(target)
    target.B = "code"
    settings.populate_obj(target, keys=["A"])
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_B": "2"})
    assert (target.A, target.B) == (2, "code")


def test_what_code_sets_between_two_objects_is_in_the_second_only(
    settings: Any, volume: AtomicWriter
) -> None:
    """Each has what was there when it was populated, after a reload as before."""
    volume.write({"MYAPP_A": "1"})
    first, second = types.SimpleNamespace(), types.SimpleNamespace()
    settings.populate_obj(first)
    settings.set("B", "code", loader_identifier="code")
    settings.populate_obj(second)
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert (first.A, hasattr(first, "B")) == (2, False)
    assert (second.A, second.B) == (2, "code")


def test_an_export_has_nothing_of_a_default_that_came_after_it(volume: AtomicWriter) -> None:
    """Not even of one that is what a mount had before; a new process exports before it is set."""
    late = {"SIZE": 5, "TABLE": {"a": 1, "b": 2}}
    volume.write({"SIZE": "5", "TABLE": "{a = 1, b = 2}", "STAYS": "[1, {a = 2}]"})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.populate_obj(target := types.SimpleNamespace())
    for name, value in late.items():
        settings.setdefault(name, value)
    assert {name: getattr(target, name) for name in late} == late
    stays = target.STAYS
    volume.write({"STAYS": "[1, {a = 2}]"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert {name: settings[name] for name in late} == late
    assert not vars(target).keys() & late.keys()
    assert target.STAYS is stays


def test_the_names_may_be_given_by_an_iterator(settings: Any, volume: AtomicWriter) -> None:
    """One that can be read only once populates an object, which follows."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    target = types.SimpleNamespace()
    settings.populate_obj(target, keys=filter(str.isupper, ["A", "b"]))
    assert vars(target) == {"A": 1}
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert vars(target) == {"A": 2}


def test_what_another_environment_has_populated_follows(
    settings: Any, volume: AtomicWriter
) -> None:
    """An object that was populated from a ``from_env()`` child follows, as the child does."""
    volume.write({"MYAPP_A": "1"})
    target = types.SimpleNamespace()
    settings.from_env("other").populate_obj(target)
    settings.from_env("other").from_env("third").populate_obj(target, keys=["B"])
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_B": "2"})
    reloaded(settings, volume, {"MYAPP_A": "3", "MYAPP_B": "3"})
    assert (target.A, target.B) == (3, 3)


def test_what_settings_that_a_validator_asked_for_have_populated_follows(
    settings: Any, volume: AtomicWriter
) -> None:
    """Those of another environment are complete once the generation is published that made them."""
    volume.write({"MYAPP_A": "1"})
    settings.validators.register(Validator("A", condition=lambda _: settings.from_env("other").A))
    reloaded(settings, volume, {"MYAPP_A": "2"})
    target = types.SimpleNamespace()
    settings.from_env("other").populate_obj(target)
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert target.A == 3


def test_an_object_that_is_populated_beside_a_publication_follows(
    settings: Any, volume: AtomicWriter
) -> None:
    """Of a generation that is published in the midst of it nothing is missed."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})

    def publish() -> None:
        thread = threading.Thread(
            target=reloaded, args=(settings, volume, {"MYAPP_A": "2", "MYAPP_B": "2"})
        )
        thread.start()
        thread.join()

    class Target(types.SimpleNamespace):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if settings.A == 1:
                publish()

    target = Target()
    settings.populate_obj(target)
    assert (target.A, target.B) == (2, 2)
    reloaded(settings, volume, {"MYAPP_A": "3"})
    assert target.A == 3
    assert not hasattr(target, "B")


@pytest.mark.parametrize("replays", [0, 10])
def test_an_object_that_is_populated_before_a_publication_follows(
    settings: Any, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, replays: int
) -> None:
    """It is not missed though it comes after all others have been worked out."""
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    target, renew = types.SimpleNamespace(), _dynaconf.renew_exports

    def renewed(live: Any, candidate: Any) -> Any:
        steps = renew(live, candidate)
        if not vars(target):
            thread = threading.Thread(target=settings.populate_obj, args=(target,))
            thread.start()
            thread.join()
        return steps

    monkeypatch.setattr(_dynaconf, "renew_exports", renewed)
    monkeypatch.setattr(passing, "REPLAYS", replays)
    for count in (2, 3):
        reloaded(settings, volume, {"MYAPP_A": str(count)})
        assert count == target.A


def test_a_populated_object_is_not_kept_alive(settings: Any, volume: AtomicWriter) -> None:
    """One that is gone is forgotten; one without weak references, or that refuses, harms nobody."""

    class Slots:
        __slots__ = ("A",)
        A: Any

    class Refuses(types.SimpleNamespace):
        armed = False

        def __setattr__(self, name: str, value: Any) -> None:
            if self.armed:
                raise RuntimeError(name)
            super().__setattr__(name, value)

    volume.write({"MYAPP_A": "1"})
    slots, gone, refuses = Slots(), types.ModuleType("gone"), Refuses()
    for target in (slots, gone, refuses):
        settings.populate_obj(target, keys=["A"])
    del gone, target
    assert len(attached(settings._wrapped).exports) == 3
    refuses.__dict__["armed"] = True
    reloaded(settings, volume, {"MYAPP_A": "2"})
    assert len(attached(settings._wrapped).exports) == 2
    assert (slots.A, settings.A) == (2, 2)
    assert refuses.A == 1


def test_times_that_later_ones_come_to_as_well_are_forgotten(
    settings: Any, volume: AtomicWriter
) -> None:
    """An object that is filled for each request, always with other settings, costs no more."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1", "MYAPP_C": "1"})
    target = types.SimpleNamespace(B="own")
    for _ in range(3):
        for keys in (["A", "b"], ["B", "A"], ["B", "C"], ["A", "B", "C"], ["C", "A"]):
            settings.populate_obj(target, keys=keys)
    assert len(attached(settings._wrapped).exports) == 2
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_B": "2"})
    assert vars(target) == {"A": 2, "B": 2}
    reloaded(settings, volume, {"MYAPP_A": "3", "MYAPP_C": "3"})
    assert vars(target) == {"A": 3, "B": "own", "C": 3}


def test_populated_objects_do_not_pile_up(settings: Any, volume: AtomicWriter) -> None:
    """One for each request goes with it, though a ``SimpleNamespace`` allows no weak reference."""

    class Noticed(types.SimpleNamespace):
        __slots__ = ()  # or it would allow one

        def __del__(self) -> None:
            gone.append(self.number)

    gone: list[int] = []
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    kept = types.SimpleNamespace()
    settings.populate_obj(kept)
    for number in range(5):
        target = Noticed(number=number)
        settings.populate_obj(target, keys=["A"])
        settings.populate_obj(target, keys=["B"])
    settings.populate_obj(target)
    assert gone == [0, 1, 2, 3]
    del target
    reloaded(settings, volume, {"MYAPP_A": "2", "MYAPP_B": "1"})
    assert kept.A == 2
    reloaded(settings, volume, {"MYAPP_A": "3", "MYAPP_B": "1"})
    assert kept.A == 3
    eventually(lambda: gone == [0, 1, 2, 3, 4], collecting=True)


def test_a_merged_object_is_merged_again(settings: Any, volume: AtomicWriter) -> None:
    """What a list was before it was populated stays in it."""
    if "merge" not in Settings.populate_obj.__code__.co_varnames:
        pytest.skip("dynaconf up to 3.2 merges nothing here")
    volume.write({"MYAPP_LIST": "[1]"})
    target = types.SimpleNamespace(LIST=["own"])
    settings.populate_obj(target, keys=["LIST"], merge=True)
    assert sorted(map(str, target.LIST)) == ["1", "own"]
    reloaded(settings, volume, {"MYAPP_LIST": "[2]"})
    assert sorted(map(str, target.LIST)) == ["2", "own"]


def test_what_code_merges_with_goes_when_its_source_does(
    settings: Any, volume: AtomicWriter
) -> None:
    """A token that only the merge has made a table of is no addition of code's."""
    volume.write({"MYAPP_DB__HOST": "@merge {k = 1}"})
    settings.update({"DB": {"by_code": 1}}, loader_identifier="code", merge=True)
    assert settings.DB == {"HOST": {"k": 1}, "by_code": 1}
    reloaded(settings, volume, {})
    assert settings.DB == {"by_code": 1}
