"""What an application did to its settings in code, across reloads."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dynaconf
import pytest
from dynaconf import ValidationError, Validator, add_converter
from dynaconf.utils.parse_conf import converters

from dynaconf_k8s_reload import ConfigError, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


class Engine:
    """Something that may not be copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("copied")


def values(settings: Any, *names: str) -> list[Any]:
    return [settings.get(name) for name in names]


def test_values_set_by_code_survive_by_identity(volume: AtomicWriter, settings: Any) -> None:
    """A lock, a module and an engine that code sets are the same objects after each reload."""
    lock, engine = threading.Lock(), Engine()
    settings.set("LOCK", lock)
    settings.update({"MODULE": sys, "OTHER": [1, {"x": 2}]})
    settings["ENGINE"] = engine
    settings.NUMBER = 5
    for count in range(3):
        volume.write({"A": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
        assert count == settings.A
        assert settings.LOCK is lock
        assert settings.MODULE is sys
        assert settings.ENGINE is engine
        assert (settings.NUMBER, settings.OTHER[1].x) == (5, 2)


def test_values_set_by_code_are_beneath_every_source(volume: AtomicWriter, settings: Any) -> None:
    """Code's value shows until the next reload where a mount has one, as in dynaconf."""
    volume.write({"A": "1"})
    settings.set("A", "code")
    assert settings.A == "code"
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    assert settings.A == 2
    volume.write({})
    get_reloader(settings).reload()
    assert settings.A == "code"


def test_nested_writes_do_not_survive(volume: AtomicWriter, settings: Any) -> None:
    """As with dynaconf's own reload, a nested write is gone after a reload."""
    volume.write({"DB__port": "1"})
    settings.DB.port = 5
    settings.set("DB.host", "x")
    volume.write({"DB__port": "1", "B": "1"})
    get_reloader(settings).reload()
    assert dict(settings.DB) == {"port": 1}


def test_a_list_of_code_is_not_changed_by_what_a_mount_inserts(
    volume: AtomicWriter, settings: Any
) -> None:
    """``@insert`` and ``@merge`` of a mount start from code's own value at each reload."""
    settings.set("L", ["a"])
    settings.set("D", {"x": ["a"]})
    for count in range(3):
        volume.write({"L": "@insert 0 b", "D__x": "@merge c", "N": str(count)})
        get_reloader(settings).reload()
        assert list(settings.L) == ["b", "a"]
        assert list(settings.D.x) == ["a", "c"]
    volume.write({})
    get_reloader(settings).reload()
    assert (list(settings.L), list(settings.D.x)) == (["a"], ["a"])


def test_merged_values_of_code_are_not_merged_once_more(volume: AtomicWriter) -> None:
    """With ``merge_enabled`` a list that code has added to keeps each element once."""
    settings = make_settings(volume.directory, k8s_watch=False, merge_enabled=True, L=["a"])
    settings.set("L", ["b"])
    assert list(settings.L) == ["a", "b"]
    for count in range(3):
        volume.write({"N": str(count)})
        get_reloader(settings).reload()
        assert list(settings.L) == ["a", "b"]


def test_containers_among_the_keywords_start_afresh(volume: AtomicWriter, tmp_path: Path) -> None:
    """``@insert`` and ``@del`` of files and mounts never accumulate in a constructor's keyword."""
    (tmp_path / "s.toml").write_text('L = "@insert 0 f"\n')
    mine, nested = ["k"], {"x": ["k"], "y": 1}
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(tmp_path / "s.toml")],
        L=mine,
        D=nested,
    )
    for count in range(3):
        volume.write({"D__x": "@insert 0 m", "D__y": "@del", "N": str(count)})
        get_reloader(settings).reload()
        assert list(settings.L) == ["f", "k"]
        assert dict(settings.D) == {"x": ["m", "k"]}
    volume.write({})
    get_reloader(settings).reload()
    assert dict(settings.D) == {"x": ["k"], "y": 1}


def blocking(settings: Any, where: str) -> tuple[threading.Event, threading.Event]:
    """Make the next candidate wait in a validator or a hook, and give the events for it."""
    reached, released = threading.Event(), threading.Event()

    def block(*_: Any) -> Any:
        reached.set()
        assert released.wait(10)
        return {} if where == "hook" else True

    if where == "hook":
        hooks = vars(settings._wrapped).get("_post_hooks")
        (settings._wrapped.__core__.config.post_hooks if hooks is None else hooks).append(block)
    elif where == "validator":
        settings.validators.register(Validator("A", condition=block))
    else:
        get_reloader(settings).on_validate(block)
    return reached, released


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # dynaconf 3.2's, of a hook's clone
@pytest.mark.parametrize("where", ["hook", "validator", "check"])
def test_what_code_sets_while_a_candidate_is_built_is_published_with_it(
    volume: AtomicWriter, settings: Any, where: str
) -> None:
    """Values set during a build, among them one set back to what it was, are all there after it."""
    volume.write({"A": "1"})
    engine = Engine()
    settings.set("BACK", "first")
    reached, released = blocking(settings, where)
    volume.write({"A": "2"})
    thread = threading.Thread(target=get_reloader(settings).reload)
    thread.start()
    assert reached.wait(10)
    settings.set("LATE", engine)
    settings.update({"ALSO": 1})
    settings.set("BACK", "second")
    assert settings.A == 1
    released.set()
    thread.join(10)
    assert settings.A == 2
    assert settings.LATE is engine
    assert values(settings, "ALSO", "BACK") == [1, "second"]
    volume.write({"A": "3"})
    get_reloader(settings).reload()
    assert settings.LATE is engine
    assert values(settings, "A", "ALSO", "BACK") == [3, 1, "second"]


def test_a_value_set_back_to_its_keyword_while_a_candidate_is_built_is_kept(
    volume: AtomicWriter,
) -> None:
    """Setting the very object that the constructor had, during a build, counts as well."""
    settings = make_settings(volume.directory, k8s_watch=False, X="keyword")
    volume.write({"A": "1"})
    original = settings.X
    settings.set("X", "code")
    reached, released = blocking(settings, "check")
    volume.write({"A": "2"})
    thread = threading.Thread(target=get_reloader(settings).reload)
    thread.start()
    assert reached.wait(10)
    settings.set("X", original)
    released.set()
    thread.join(10)
    assert values(settings, "A", "X") == [2, "keyword"]


def test_every_value_of_a_hammering_thread_survives(volume: AtomicWriter, settings: Any) -> None:
    """A thread sets values without pause during 200 reloads, and finds each as it left it."""
    volume.write({"A": "0"})
    reloader = get_reloader(settings)
    stop = threading.Event()
    sets: dict[str, int] = {}
    lost: list[str] = []
    count = 0

    def hammer() -> None:
        nonlocal count
        while not stop.is_set():
            name = f"SET_{count % 10}"
            if settings.get(name) != sets.get(name):
                lost.append(name)
            settings.set(name, count)
            sets[name] = count
            count += 1
            stop.wait(0.001)

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        for number in range(1, 201):
            volume.write({"A": str(number)})
            assert reloader.reload().outcome == "applied"
    finally:
        stop.set()
        thread.join()
    print(f"{count} values set during 200 reloads, {len(lost)} lost")
    assert count > 100
    assert lost == []
    assert {name: settings.get(name) for name in sets} == sets


class Meanwhile:
    """Has something happen each time that somebody looks at it, as another thread may do it."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.happens = happens

    @property  # type: ignore[misc] # reason: `isinstance` asks for it
    def __class__(self) -> type:
        self.happens()
        return object


def test_what_another_thread_fills_in_place_refuses_nothing(volume: AtomicWriter) -> None:
    """A container that grows while it is read, and a source that is new, refuse nothing."""
    volume.write({"A": "0"})
    numbers = itertools.count()
    is_loaded = False

    def fill() -> None:
        if is_loaded:
            settings.HELD[f"new {next(numbers)}"] = 1
            settings.set("OTHER", 1, loader_identifier=f"source {next(numbers)}")

    settings = make_settings(
        volume.directory, k8s_watch=False, HELD={"a": Meanwhile(fill), "b": {"c": Meanwhile(fill)}}
    )
    reloader = get_reloader(settings)
    is_loaded = True
    volume.write({"A": "1"})
    assert reloader.reload().error is None
    assert next(numbers) > 0
    assert settings.A == 1


def test_validators_registered_later_count_from_then_on(
    volume: AtomicWriter, settings: Any
) -> None:
    """A validator that code registers after the first load refuses an update, with its default."""
    volume.write({"A": "1"})
    settings.validators.register(Validator("A", lte=5), Validator("E", default="@format {this.A}"))
    settings.validators.validate()
    volume.write({"A": "9"})
    assert get_reloader(settings).reload().outcome == "rejected"
    volume.write({"A": "5"})
    get_reloader(settings).reload()
    assert (settings.A, str(settings.E)) == (5, "5")


@pytest.mark.parametrize("replaces", [False, True])
def test_a_validator_registered_while_a_candidate_is_built_counts_for_it(
    volume: AtomicWriter, settings: Any, replaces: bool
) -> None:
    """The candidate is built once more, so that the new validator has seen it."""
    volume.write({"A": "1"})
    if replaces:
        settings.validators.register(Validator("A", lte=50))
    reached, released = blocking(settings, "check")
    volume.write({"A": "9"})
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(get_reloader(settings).reload()))
    thread.start()
    assert reached.wait(10)
    if replaces:
        settings.validators[0] = Validator("A", lte=5)
    else:
        settings.validators.register(Validator("A", lte=5))
    released.set()
    thread.join(10)
    assert results[0].outcome == "rejected"
    assert settings.A == 1
    assert len(settings.validators) == 1


HOOKS = """
from dynaconf.hooking import post_hook
N = 1

@post_hook
def count(settings):
    return {"COUNTED": settings.get("A", 0) + 1, "CALLS": settings.get("CALLS", 0) + 1}
"""


def test_hooks_run_for_each_generation_and_do_not_pile_up(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """Functions, ``@post_hook`` and ``dynaconf_hooks.py`` see each generation's values once."""
    (tmp_path / "app_settings.py").write_text(HOOKS)
    (tmp_path / "dynaconf_hooks.py").write_text(
        "def post(settings):\n    return {'MODULE': settings.A * 10}\n"
    )
    calls: list[Any] = []

    def function(settings: Any) -> Any:
        calls.append(settings.A)
        return {"FUNCTION": settings.A * 100}

    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(tmp_path / "app_settings.py")],
        post_hooks=[function],
    )
    for count in range(1, 5):
        volume.write({"A": str(count)})
        get_reloader(settings).reload()
        assert values(settings, "COUNTED", "CALLS", "MODULE", "FUNCTION") == [
            *(count + 1, 1, count * 10, count * 100)
        ]
        hooks = settings._post_hooks if hasattr(settings, "_post_hooks") else None
        core = vars(settings._wrapped).get("__core__")
        assert len(core.config.post_hooks if core is not None else hooks or []) == 2
    assert calls == [1, 2, 3, 4]


def test_a_hook_may_use_the_clone_it_is_given(volume: AtomicWriter) -> None:
    """A hook's ``set`` and lookups on its clone change nothing outside the clone."""

    def hook(clone: Any) -> Any:
        clone.set("ONLY_CLONE", 1)
        return {"SEEN": clone.A, "LAZY": clone.B, "ENVIRON": clone.get_environ("MYAPP_A")}

    volume.write({"MYAPP_A": "1", "B": "@format {this.A}"})
    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    for count in ("1", "2"):
        volume.write({"MYAPP_A": count, "B": "@format {this.A}"})
        assert get_reloader(settings).reload().error is None
        assert values(settings, "SEEN", "LAZY", "ONLY_CLONE") == [int(count), count, None]
    settings.reload()  # dynaconf's own, with lazy values that a generation has pinned
    assert values(settings, "SEEN", "LAZY", "ENVIRON") == [2, "2", "2"]


def test_a_hook_that_reloads_is_refused_and_told_so(volume: AtomicWriter, settings: Any) -> None:
    """A check that calls ``reload()`` within a reload is refused with the remedy."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    reloader.on_validate(lambda *_: reloader.reload())
    volume.write({"A": "2"})
    result = reloader.reload()
    assert result.outcome == "rejected"
    assert "subscribe with on_change" in str(result.error)


@pytest.mark.parametrize("meanwhile", [False, True])
def test_registered_hooks_stay_registered(volume: AtomicWriter, meanwhile: bool) -> None:
    """Hooks of ``HookableSettings`` apply after a reload, added before, or while one is built."""
    from dynaconf.hooking import Hook, HookableSettings

    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=HookableSettings)
    wrapped = vars(settings)["_wrapped"] if settings.A else None
    assert wrapped is not None

    def ask(_: Any, value: Any, key: str, *__: Any, **___: Any) -> Any:
        return f"hooked {value.value}" if key == "A" else value.value

    def register(*_: Any) -> None:
        wrapped._registered_hooks = {"after_get": [Hook(ask)]}

    if meanwhile:
        get_reloader(settings).on_validate(register)
    else:
        register()
        assert settings.get("A") == "hooked 1"
    for count in ("2", "3"):
        volume.write({"A": count})
        assert get_reloader(settings).reload().error is None
        assert settings.get("A") == f"hooked {count}"
        assert dict.__getitem__(settings.store, "A") == int(count)


TWO_ENVS = """
[default]
WHO = "default"
[development]
WHO = "development"
[production]
WHO = "production"
"""


@pytest.fixture
def with_envs(volume: AtomicWriter, tmp_path: Path) -> Any:
    (tmp_path / "s.toml").write_text(TWO_ENVS)
    volume.write({"A": "1"})
    return make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(tmp_path / "s.toml")],
        environments=True,
    )


def test_setenv_stays_across_reloads(volume: AtomicWriter, with_envs: Any) -> None:
    """The environment that code switched to is on in the next generation, and can be left."""
    with_envs.setenv("production")
    volume.write({"A": "2"})
    get_reloader(with_envs).reload()
    assert values(with_envs, "WHO", "A") == ["production", 2]
    with_envs.setenv()
    assert values(with_envs, "WHO", "A") == ["development", 2]


def test_using_env_around_a_reload_ends_as_it_would_without(
    volume: AtomicWriter, with_envs: Any
) -> None:
    """A reload within ``using_env`` keeps its environment on, and leaving it goes back."""
    with with_envs.using_env("production"):
        volume.write({"A": "2"})
        get_reloader(with_envs).reload()
        assert values(with_envs, "WHO", "A") == ["production", 2]
    assert values(with_envs, "WHO", "A") == ["development", 2]


def test_an_environment_left_while_a_candidate_is_built_is_left_in_it(
    volume: AtomicWriter, with_envs: Any
) -> None:
    """What ``using_env`` did meanwhile is read again at publication."""
    assert with_envs.WHO == "development"
    builds: list[Any] = []
    entered = with_envs._wrapped.using_env("production")

    def check(candidate: Any, _: Any) -> None:
        builds.append(candidate.WHO)
        if len(builds) == 1:
            entered.__enter__()

    get_reloader(with_envs).on_validate(check)
    volume.write({"A": "2"})
    assert get_reloader(with_envs).reload().outcome == "applied"
    assert builds == ["development", "production"]
    assert values(with_envs, "WHO", "A") == ["production", 2]
    entered.__exit__(None, None, None)
    assert values(with_envs, "WHO", "A") == ["development", 2]


def test_code_that_never_stops_switching_is_reported(
    volume: AtomicWriter, with_envs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update that finds no quiet moment is refused after a while, and tried again later."""
    from dynaconf_k8s_reload._reload import passing

    monkeypatch.setattr(passing, "CONFIRM_SECONDS", 0.0)
    assert with_envs.WHO == "development"
    names = iter(["production", "development"] * 100)
    get_reloader(with_envs).on_validate(lambda *_: with_envs.setenv(next(names)))
    volume.write({"A": "2"})
    result = get_reloader(with_envs).reload()
    assert result.outcome == "rejected"
    assert "kept switching the environment" in str(result.error)


def test_a_hook_that_waits_for_a_thread_that_sets_does_not_hang_a_reload(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an application's code, so it runs under no lock that the thread needs."""
    from dynaconf.hooking import Hook, HookableSettings

    from dynaconf_k8s_reload._reload import passing, reloader

    monkeypatch.setattr(passing, "CONFIRM_SECONDS", 0.0)
    monkeypatch.setattr(reloader, "GIVE_WAY_SECONDS", 0.01, raising=False)
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=HookableSettings)
    assert settings.A == 1
    numbers, is_asking = itertools.count(), threading.Event()

    def ask(_: Any, value: Any, key: str, *__: Any, **___: Any) -> Any:
        if key == "A" and is_asking.is_set():
            asked = threading.Thread(target=settings.set, args=("BY_CODE", next(numbers)))
            asked.start()
            asked.join()
        return value.value

    settings._wrapped._registered_hooks = {"after_get": [Hook(ask)]}
    settings.populate_obj(target := SimpleNamespace(), keys=["A"])
    volume.write({"A": "2"})
    is_asking.set()
    results: list[Any] = []
    reloading = threading.Thread(
        target=lambda: results.append(get_reloader(settings).reload()), daemon=True
    )
    reloading.start()
    reloading.join(10)
    assert [each.outcome for each in results] == ["rejected"]
    assert "setting values" in str(results[0].error)
    is_asking.clear()
    assert get_reloader(settings).reload().outcome == "applied"
    assert target.A == 2


def test_configure_keeps_the_reloader_its_subscribers_and_takes_other_mounts(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """After ``configure()`` with other mounts, those are watched and the old subscribers told."""
    other = AtomicWriter(tmp_path / "other")
    other.write({"A": "other", "ONLY": "1"})
    volume.write({"A": "first"})
    settings = make_settings(k8s_resync=0.05)
    del settings._kwargs["k8s_mounts"]
    settings.configure(k8s_mounts=[str(volume.directory)])
    reloader = get_reloader(settings)
    seen: list[Any] = []
    reloader.on_change()(seen.append)
    settings.configure(k8s_mounts=[str(volume.directory), str(other.directory)])
    assert get_reloader(settings) is reloader
    assert values(settings, "A", "ONLY") == ["other", 1]
    eventually(lambda: seen)
    assert seen[0]["A"].new == "other"
    assert seen[0]["ONLY"].kind == "added"
    other.write({"A": "third"})
    eventually(lambda: settings.A == "third")
    eventually(lambda: len(seen) > 1)
    assert [mount.path for mount in reloader.status().mounts] == [
        str(volume.directory),
        str(other.directory),
    ]


def test_a_configure_that_fails_leaves_everything_as_it_was(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """A ``configure()`` whose validator refuses raises, and the object before goes on following."""
    volume.write({"A": "1"})
    settings = make_settings(k8s_resync=0.05)
    del settings._kwargs["k8s_mounts"]
    settings.configure(k8s_mounts=[str(volume.directory)])
    before = vars(settings)["_wrapped"]
    with pytest.raises(dynaconf.ValidationError):
        settings.configure(
            k8s_mounts=[str(volume.directory), str(tmp_path / "none")],
            validators=[Validator("NOT_THERE", must_exist=True)],
        )
    assert vars(settings)["_wrapped"] is before
    assert get_reloader(settings).status().generation == 1
    volume.write({"A": "2"})
    eventually(lambda: settings.A == 2)


@pytest.mark.parametrize("how", ["includes", "dynaconf_include"])
def test_mounts_and_environment_beat_includes(
    volume: AtomicWriter, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is included comes beneath environment and mounts, at start and after each reload."""
    (tmp_path / "more.toml").write_text('A = "file"\nE = "file"\nF = "file"\n')
    (tmp_path / "s.toml").write_text(
        'dynaconf_include = ["more.toml"]\n' if how == "dynaconf_include" else ""
    )
    monkeypatch.setenv("MYAPP_E", "environment")
    volume.write({"A": "mount"})
    options: dict[str, Any] = {"settings_files": [str(tmp_path / "s.toml")]}
    if how == "includes":
        options["includes"] = [str(tmp_path / "more.toml")]
    settings = make_settings(volume.directory, k8s_watch=False, **options)
    assert values(settings, "A", "E", "F") == ["mount", "environment", "file"]
    volume.write({"A": "again"})
    get_reloader(settings).reload()
    assert values(settings, "A", "E", "F") == ["again", "environment", "file"]
    volume.write({})
    get_reloader(settings).reload()
    assert values(settings, "A", "E", "F") == ["file", "environment", "file"]


def test_converters_of_the_application_apply(volume: AtomicWriter, settings: Any) -> None:
    """A converter that was added, even after the first load, converts what a mount says."""
    volume.write({"A": "1"})
    assert settings.A == 1
    add_converter("double", lambda value: int(value) * 2)
    try:
        volume.write({"A": "@double 4"})
        get_reloader(settings).reload()
        assert settings.A == 8
    finally:
        del converters["@double"]


def test_typed_settings_follow_and_are_validated(volume: AtomicWriter) -> None:
    """``dynaconf.typed`` objects (3.3) follow, with their types as validators and defaults."""
    typed = pytest.importorskip("dynaconf.typed", reason="dynaconf before 3.3 has none")

    class Typed(typed.Dynaconf):  # type: ignore[misc, name-defined] # reason: dynaconf is untyped
        dynaconf_options = typed.Options(envvar_prefix="MYAPP")
        POOL: int
        NAME: str = "unnamed"

    volume.write({"POOL": "3"})
    settings: Any = Typed(
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=[str(volume.directory)],
        k8s_watch=False,
        k8s_prefixed_only=False,
    )
    assert values(settings, "POOL", "NAME") == [3, "unnamed"]
    volume.write({"POOL": "many"})
    assert get_reloader(settings).reload().outcome == "rejected"
    volume.write({"POOL": "4", "NAME": "four"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert values(settings, "POOL", "NAME") == [4, "four"]


def test_flask_config_follows(volume: AtomicWriter) -> None:
    """``app.config`` of ``FlaskDynaconf`` reads the new generation, and keeps what code put in."""
    flask = pytest.importorskip("flask")
    volume.write({"A": "1", "D__x": "1"})
    app = flask.Flask(__name__)
    dynaconf.FlaskDynaconf(
        app,
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=[str(volume.directory)],
        k8s_watch=False,
        k8s_prefixed_only=False,
        envvar_prefix="MYAPP",
    )
    app.config["MINE"] = mine = Engine()
    kept = app.config.D
    for count in (2, 3):
        volume.write({"A": str(count), "D__x": str(count)})
        assert get_reloader(app.config._settings).reload().error is None
        assert (app.config["A"], app.config.A, app.config.get("A")) == (count,) * 3
        assert app.config["MINE"] is mine
        assert app.config["D"]["x"] == count
    assert kept["x"] == 1


DJANGO = """
import sys, types
module = types.ModuleType("project_settings")
module.__file__ = __file__
sys.modules["project_settings"] = module
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
source = '''
SECRET_KEY = "x"
ALLOWED_HOSTS = ["a"]
import dynaconf
settings = dynaconf.DjangoDynaconf(
    __name__,
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[sys.argv[1]],
    k8s_watch=False,
    k8s_prefixed_only=False,
    envvar_prefix="DJANGO",
)
'''
module.sys = sys
exec(compile(source, __file__, "exec"), vars(module))
import django
from django.conf import settings
django.setup()
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
volume = AtomicWriter(sys.argv[1])
print(settings.ALLOWED_HOSTS, settings.PAGE, settings.DATABASES is not None)
settings.MINE = lambda: 1
mine = settings.MINE
for count in (2, 3):
    volume.write({"PAGE": str(count), "ALLOWED_HOSTS": f'["{count}"]'})
    result = get_reloader(module.settings).reload()
    print(result.outcome, sorted(result.changes), settings.ALLOWED_HOSTS, settings.PAGE)
    assert settings.MINE is mine
"""


def test_django_settings_follow(volume: AtomicWriter, tmp_path: Path) -> None:
    """``django.conf.settings`` behind ``DjangoDynaconf`` reads the new generation."""
    pytest.importorskip("django")
    volume.write({"PAGE": "1"})
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(DJANGO))
    done = subprocess.run(
        [sys.executable, str(program), str(volume.directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "['a'] 1 True"
    assert second == "applied ['ALLOWED_HOSTS', 'PAGE'] ['2'] 2"
    assert third == "applied ['ALLOWED_HOSTS', 'PAGE'] ['3'] 3"


def test_settings_without_validators_complete_their_construction(volume: AtomicWriter) -> None:
    """With ``dynaconf_skip_validators`` a first load mirrors, and later ones are not validated."""
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        dynaconf_skip_validators=True,
        validators=[Validator("A", lte=1)],
    )
    reloader = get_reloader(settings)
    assert reloader.status().generation == 1
    volume.write({"A": "2"})
    assert reloader.reload().outcome == "applied"
    assert settings.A == 2


def test_a_reloader_that_is_still_loading_says_so(volume: AtomicWriter) -> None:
    """A hook of the first load that asks the reloader is told to wait."""
    volume.write({"A": "1"})
    caught: list[Exception] = []

    def hook(clone: Any) -> Any:
        try:
            get_reloader(clone).status()
        except ConfigError as error:
            caught.append(error)
        return {}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    assert settings.A == 1
    assert "still being loaded" in str(caught[0])


def test_validate_on_update_runs_outside_of_every_lock(volume: AtomicWriter) -> None:
    """A validator that ``set`` triggers may wait for a reload in another thread."""
    volume.write({"A": "1"})
    reloader: Any = None

    def condition(_: Any) -> bool:
        if reloader is not None and threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=reloader.reload)
            thread.start()
            thread.join(10)
            return not thread.is_alive()
        return True

    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        validate_on_update=True,
        validators=[Validator("X", condition=condition)],
    )
    assert settings.A == 1
    reloader = get_reloader(settings)
    volume.write({"A": "2"})
    settings.set("X", 1)
    assert values(settings, "A", "X") == [2, 1]


def test_code_sets_a_value_where_lower_case_is_not_read(volume: AtomicWriter) -> None:
    """dynaconf 3.2 then hides every lower-case attribute, its own and ours."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, lowercase_read=False)
    settings.set("X", 1)
    assert values(settings, "A", "X") == [1, 1]


def test_validate_on_update_collects_every_error_where_asked_to(volume: AtomicWriter) -> None:
    """``validate_on_update="all"`` runs all validators, and names each one that refuses."""
    volume.write({"A": "1", "B": "2"})
    settings = make_settings(volume.directory, k8s_watch=False, validate_on_update="all")
    settings.validators.register(Validator("A", gte=5), Validator("B", gte=5))
    with pytest.raises(ValidationError) as refused:
        settings.set("X", 1)
    assert len(refused.value.details) == 2


def test_a_hook_that_validates_while_loading_completes_nothing(volume: AtomicWriter) -> None:
    """With ``validate_on_update`` a hook's values are validated before construction is complete."""
    volume.write({"A": "1"})
    generations: list[Any] = []

    def condition(_: Any) -> bool:
        generations.append(settings.configured and get_reloader(settings).status().generation)
        return True

    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        validate_on_update=True,
        validators=[Validator("B", condition=condition)],
        post_hooks=[lambda s: {"B": s.A}],
    )
    assert (settings.A, settings.B) == (1, 1)
    assert len(generations) >= 2
    assert not any(generations)
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    assert (settings.B, generations[-1]) == (2, 1)


def test_a_settings_module_given_to_configure_is_loaded_again(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """The file that ``configure()`` was given stays among the sources."""
    (tmp_path / "given.toml").write_text("X = 1\n")
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.configure(settings_module=str(tmp_path / "given.toml"))
    assert settings.X == 1
    (tmp_path / "given.toml").write_text("X = 2\n")
    volume.write({"A": "1"})
    get_reloader(settings).reload()
    assert (settings.X, settings.A) == (2, 1)


def test_another_loader_is_not_run_again_for_includes(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this package's loader comes once more after the includes."""
    import types

    module, calls = types.ModuleType("another_loader"), []
    module.load = lambda *_, **__: calls.append(1)  # type: ignore[attr-defined] # reason: it is made here
    monkeypatch.setitem(sys.modules, "another_loader", module)
    (tmp_path / "more.toml").write_text("A = 'file'\n")
    volume.write({"A": "mount"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        loaders=["another_loader", "dynaconf_k8s_reload.loader"],
        includes=[str(tmp_path / "more.toml")],
    )
    assert (settings.A, len(calls)) == ("mount", 1)


def test_nested_lazy_values_of_code_belong_to_each_generation(
    volume: AtomicWriter, settings: Any
) -> None:
    """A template within what code has set resolves in the generation that is read."""
    volume.write({"A": "1"})
    settings.set("T", {"x": "@format {this.A}", "l": ["@format {this.A}"]})
    for count in ("2", "3"):
        volume.write({"A": count})
        get_reloader(settings).reload()
        assert (settings.T["x"], settings.T["l"][0]) == (count, count)


def test_a_check_may_look_at_other_environments(volume: AtomicWriter, with_envs: Any) -> None:
    """A check that switches its candidate's environment for a moment switches nobody else's."""
    assert with_envs.WHO == "development"
    seen: list[Any] = []

    def check(candidate: Any, _: Any) -> None:
        with candidate.using_env("production"):
            seen.extend([candidate.WHO, candidate.A, with_envs.WHO, with_envs.A])

    get_reloader(with_envs).on_validate(check)
    volume.write({"A": "2"})
    assert get_reloader(with_envs).reload().outcome == "applied"
    assert seen == ["production", 2, "development", 1]
    assert values(with_envs, "WHO", "A") == ["development", 2]


def switched_by_mount(tmp_path: Path, volume: AtomicWriter, **options: Any) -> Any:
    """Settings of a file with environments, which a variable of the mount switches."""
    return make_settings(
        volume.directory,
        settings_files=["settings.toml"],
        root_path=str(tmp_path),
        environments=True,
        env_switcher="MYAPP_MODE",
        k8s_watch=False,
        **options,
    )


def test_validators_run_in_the_environment_that_a_mount_switches_to(
    tmp_path: Path, volume: AtomicWriter
) -> None:
    """One that names no environment checks that of now, not the one that it first ran in."""
    (tmp_path / "settings.toml").write_text("[one]\nA = 1\nB = 1\n[two]\nA = 2\nB = 0\n")
    volume.write({"MYAPP_MODE": "one"})
    settings = switched_by_mount(
        tmp_path,
        volume,
        validators=[
            Validator("A", lt=2) | Validator("C", must_exist=True),
            Validator("B", gte=1, when=Validator("A", gt=1)),
        ],
    )
    assert (settings.A, settings.B) == (1, 1)
    volume.write({"MYAPP_MODE": "two"})
    refused = get_reloader(settings).reload()
    assert refused.outcome == "rejected"
    assert "A (lt)" in str(refused.error)
    volume.write({"MYAPP_MODE": "two", "C": "1"})
    refused = get_reloader(settings).reload()
    assert "B (gte)" in str(refused.error)
    volume.write({"MYAPP_MODE": "two", "C": "1", "MYAPP_B": "1"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.A, settings.B) == (2, 1)


def test_validators_that_code_has_run_are_not_kept_in_that_environment(
    tmp_path: Path, volume: AtomicWriter
) -> None:
    """One that code registers, and runs, checks the environment that a mount switches to, too."""
    (tmp_path / "settings.toml").write_text("[one]\nA = 1\n[two]\nA = 2\n")
    volume.write({"MYAPP_MODE": "one"})
    settings = switched_by_mount(tmp_path, volume)
    settings.validators.register(
        Validator("DEFAULTED", default=1),
        Validator("A", lt=3),
        Validator("B", must_exist=True, when=Validator("A", gt=1)),
    )
    settings.validators.validate()
    volume.write({"MYAPP_MODE": "two"})
    refused = get_reloader(settings).reload()
    assert "B" in str(refused.error)
    volume.write({"MYAPP_MODE": "two", "MYAPP_B": "1"})
    for _ in range(2):
        assert get_reloader(settings).reload().outcome == "applied"
        assert (settings.A, settings.DEFAULTED) == (2, 1)
        volume.write({"MYAPP_MODE": "two", "MYAPP_B": "2"})
    volume.write({"MYAPP_MODE": "two", "MYAPP_B": "2", "MYAPP_A": "3"})
    assert "A (lt)" in str(get_reloader(settings).reload().error)


def test_a_refused_reload_leaves_validators_in_their_environment(
    tmp_path: Path, volume: AtomicWriter
) -> None:
    """The generation that keeps serving is checked in its own, by code and in a hook's copy too."""
    (tmp_path / "settings.toml").write_text("[one]\nA = 1\n[two]\nA = 2\n")
    volume.write({"MYAPP_MODE": "one"})
    settings = switched_by_mount(tmp_path, volume)
    judge, alone = Validator("D", must_exist=True, when=Validator("A", gt=1)), Validator("A", lt=2)
    settings.validators.register(judge, alone)
    alone.validate(settings)
    settings.validators.validate()
    for switched in ({"MYAPP_MODE": "two"}, {"MYAPP_MODE": "two", "D": "1"}):
        volume.write(switched)
        assert get_reloader(settings).reload().outcome == "rejected"
        settings.validators.validate()
        settings.validators.validate_all()
        copy.deepcopy(settings).validators.validate()


def test_a_child_keeps_the_validators_that_code_registers(volume: AtomicWriter) -> None:
    """With those of ``from_env()`` settings come their defaults, and they refuse an update."""
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        validators=[Validator("A", must_exist=True)],
    )
    child = settings.from_env("other")
    child.validators.register(Validator("SIZE", default=5), Validator("A", lt=3))
    child.validators.validate()
    held = list(child.validators)
    for count, outcome in ((2, "applied"), (3, "rejected")):
        volume.write({"A": str(count)})
        assert get_reloader(settings).reload().outcome == outcome
        assert values(child, "A", "SIZE") == [2, 5]
        assert all(now is then for now, then in zip(child.validators, held, strict=True))


ENVS = (
    "[default]\nWHO = 'nobody'\n[development]\nWHO = 'd'\n[staging]\nWHO = 's'\n"
    "[production]\nWHO = 'p'\n"
)


@pytest.mark.parametrize("default", [None, "staging"])
def test_a_finished_using_env_leaves_no_trace(
    volume: AtomicWriter, tmp_path: Path, default: str | None
) -> None:
    """A switch in the mount takes effect afterwards, as if there had been none."""
    (tmp_path / "envs.toml").write_text(ENVS)
    volume.write({} if default is None else {"MYAPP_MODE": default})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        env_switcher="MYAPP_MODE",
        settings_files=[str(tmp_path / "envs.toml")],
    )
    own = "d" if default is None else "s"
    assert own == settings.WHO
    with settings.using_env("production"), settings.using_env("staging"):
        assert settings.WHO == "s"
    assert own == settings.WHO
    volume.write({"MYAPP_MODE": "production"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.WHO == "p"


def test_a_switch_by_the_mount_within_using_env(volume: AtomicWriter, tmp_path: Path) -> None:
    """Code stays in its environment until it leaves it, and is in the mount's then."""
    (tmp_path / "envs.toml").write_text(ENVS)
    volume.write({})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        env_switcher="MYAPP_MODE",
        settings_files=[str(tmp_path / "envs.toml")],
    )
    with settings.using_env("development"):
        volume.write({"MYAPP_MODE": "production"})
        assert get_reloader(settings).reload().outcome == "applied"
        assert settings.WHO == "d"
    assert settings.WHO == "p"
    with settings.using_env("staging"):
        volume.write({"MYAPP_MODE": "staging"})
        assert get_reloader(settings).reload().outcome == "applied"
    assert settings.WHO == "s"
