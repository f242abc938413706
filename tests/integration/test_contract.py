"""What this package assumes of dynaconf's private ground, on each supported line."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Dynaconf, LazySettings, Validator
from dynaconf.base import Settings
from dynaconf.hooking import Action, Hook, HookableSettings, HookValue
from dynaconf.loaders import default_loader, py_loader
from dynaconf.utils.boxing import DynaBox
from dynaconf.utils.functional import empty
from dynaconf.utils.parse_conf import Lazy, parse_conf_data
from dynaconf.validator import ValidatorList
from dynaconf.vendor.box import BoxList

from dynaconf_k8s_reload import ConfigError, _dynaconf, get_reloader
from dynaconf_k8s_reload._dynaconf import containers, files, putting, state
from dynaconf_k8s_reload._dynaconf.generation import ATTACHMENT
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

NAMES = (
    *("store", "defaults", "loaded_envs", "loaded_hooks", "loaded_by_loaders", "deleted"),
    *("loaded_py_modules", "loaded_files", "loaders", "post_hooks", "env_cache", "validators"),
)


def plain(**keywords: Any) -> Settings:
    return Settings(**keywords)


def test_all_state_lives_in_the_instance_dictionary() -> None:
    """Handing one object's dictionary to another makes it the same settings in every respect."""
    one, other = plain(A=1, D={"x": [1]}), plain(A=2, B=3)
    object.__setattr__(other, "__dict__", vars(one))
    assert other.as_dict() == one.as_dict()
    assert other.A == other["A"] == other.get("a") == 1
    assert "B" not in other
    other.set("C", 5)
    assert one.C == 5


def test_each_named_part_of_the_state_is_found_and_can_be_replaced() -> None:
    """Every part that is read or written by name exists on this line of dynaconf."""
    settings = plain(A=1)
    for name in NAMES:
        value = state.get(settings, name)
        state.put(settings, name, value)
        assert state.get(settings, name) is value
    assert ("__core__" in vars(settings)) != ("_defaults" in vars(settings))


def test_construction_ends_with_a_validation_that_names_its_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the last step of a construction calls the validators with ``only_current_env``."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(ValidatorList, "validate", lambda self, **given: calls.append(given))
    settings = plain(A=1, validate_on_update=True)
    assert [set(call) for call in calls] == [{"only", "exclude", "only_current_env"}]
    settings.set("B", 1, validate=True)
    assert calls[1:] == [{}]


def test_the_lazy_wrapper_is_found_while_it_constructs_and_only_then() -> None:
    """Whoever constructs a ``Settings`` is found in the frames: a wrapper, or nobody."""
    found: list[Any] = []

    class Looking(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def execute_loaders(self, *args: Any, **keywords: Any) -> None:
            found.append(_dynaconf.constructing_wrapper(self))

    lazy = Dynaconf(_wrapper_class=Looking)
    assert lazy.as_dict is not None
    lazy.configure()
    Looking()
    assert found[0] is lazy
    assert found[1] is lazy
    assert found[2] is None


def test_the_wrapped_object_is_where_it_is_looked_for() -> None:
    """A lazy object keeps what it wraps in ``_wrapped``, and is set up when it is asked for."""
    lazy = Dynaconf(A=1)
    assert vars(lazy)["_wrapped"] is empty
    assert _dynaconf.unwrap(lazy) is vars(lazy)["_wrapped"]
    assert _dynaconf.unwrap(_dynaconf.unwrap(lazy)) is _dynaconf.unwrap(lazy)
    with pytest.raises(ConfigError, match="dict is not a settings object"):
        _dynaconf.unwrap({})


def test_the_cache_of_other_environments_is_keyed_by_the_arguments() -> None:
    """``from_env`` keeps its objects under a key made of its three arguments."""
    settings = plain(A=1, ENVIRONMENTS_FOR_DYNACONF=True)
    child = settings.from_env("other", keep=True, X=1)
    cache = state.get(settings, "env_cache")
    assert cache["other_True_{'X': 1}"] is child
    assert settings.from_env("other", keep=True, X=1) is child
    assert isinstance(child, LazySettings)


def test_includes_are_loaded_after_the_loaders(tmp_path: Path) -> None:
    """``load_includes`` comes behind the last loader, and appends to the loaded files."""
    (tmp_path / "more.toml").write_text("X = 1\n")
    order: list[str] = []

    class Looking(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def load_includes(self, env: Any, silent: Any, key: Any) -> None:
            before = list(state.get(self, "loaded_files"))
            super().load_includes(env, silent=silent, key=key)
            order.append(f"{len(state.get(self, 'loaded_files')) - len(before)}")

    assert Looking(INCLUDES_FOR_DYNACONF=[str(tmp_path / "more.toml")]).X == 1
    assert order[0] == "1"


def test_a_lazy_value_takes_its_context_from_a_property() -> None:
    """What a template sees comes from ``Lazy.context``, a property that a subclass replaces."""

    class Elsewhere(Lazy):  # type: ignore[misc] # reason: dynaconf is untyped
        @property
        def context(self) -> dict[str, Any]:
            return {"this": {"A": "elsewhere"}, "env": {}}

    lazy = parse_conf_data("@format {this[A]}", tomlfy=True, box_settings={})
    assert type(lazy) is Lazy
    assert set(vars(lazy)) == {"value", "formatter", "casting"}
    settings = plain(A="here")
    settings.store["B"] = lazy
    assert isinstance(dict.__getitem__(settings.store, "B"), Lazy)
    lazy.__class__ = Elsewhere
    assert settings.store["B"] == "elsewhere"


def test_environment_is_read_through_the_settings_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """dynaconf looks options and env switchers up in ``Settings.environ``, which may differ."""

    class Elsewhere(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        @property
        def environ(self) -> Any:
            return {"MODE": "production"}

        @environ.setter
        def environ(self, _: Any) -> None: ...

    monkeypatch.setenv("MODE", "development")
    settings = Elsewhere(ENV_SWITCHER_FOR_DYNACONF="MODE", ENVIRONMENTS_FOR_DYNACONF=True)
    assert settings.current_env.lower() == "production"
    assert settings.get_environ("MODE") == "production"


def test_python_settings_files_are_named_among_the_modules(tmp_path: Path) -> None:
    """A ``@post_hook`` belongs to a module that stands in the list of loaded ones."""
    file = tmp_path / "app_settings.py"
    file.write_text(
        "from dynaconf.hooking import post_hook\n@post_hook\ndef hook(_):\n    return {'X': 1}\n"
    )
    settings = plain(SETTINGS_FILE_FOR_DYNACONF=[str(file)])
    (hook,) = state.get(settings, "post_hooks")
    assert hook._dynaconf_hook
    assert hook.__module__ in state.get(settings, "loaded_py_modules")
    assert settings.X == 1
    assert py_loader


def test_the_class_of_a_following_object_is_still_the_applications(volume: AtomicWriter) -> None:
    """An instance of a ``_wrapper_class`` stays one, by name too, and two objects share a class."""

    class Mine(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def shout(self) -> str:
            return str(self.A).upper()

    volume.write({"A": "quiet"})
    one = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Mine)
    other = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Mine)
    one, other = _dynaconf.unwrap(one), _dynaconf.unwrap(other)
    assert one.shout() == "QUIET"
    kind = type(one)
    assert issubclass(kind, Mine)
    assert (kind.__name__, kind.__module__) == ("Mine", __name__)
    assert type(other) is kind
    volume.write({"A": "louder"})
    get_reloader(one).reload()
    assert one.shout() == "LOUDER"


def test_a_subclass_of_a_following_class_is_left_as_it_is(settings: Any) -> None:
    """A class that follows already is not joined once more."""
    settings.as_dict()
    kind: Any = type(_dynaconf.unwrap(settings))
    other = kind(LOADERS_FOR_DYNACONF=["dynaconf_k8s_reload.loader"], k8s_mounts=[], A=1)
    assert type(other) is kind
    assert other.A == 1
    unattached = kind(dynaconf_skip_loaders=True, LOADERS_FOR_DYNACONF=[], A=2)
    assert ATTACHMENT not in vars(unattached)
    assert unattached.A == 2
    assert unattached.environ is os.environ


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_copies_work_as_they_do_without_this_package(
    volume: AtomicWriter, settings: Any, copier: Any
) -> None:
    """``copy`` and ``deepcopy`` give settings of the same class with the same values."""
    volume.write({"A": "1", "B": "@format {this.A}{env[HOME]}", "C__d": "@format {this.A}"})
    for original in (settings, _dynaconf.unwrap(settings)):
        twin = copier(original)
        assert type(twin) is type(_dynaconf.unwrap(settings)) or isinstance(twin, LazySettings)
        shown = {k: v for k, v in twin.as_dict().items() if k.isupper()}  # 3.2 adds raw_b
        assert {**shown, "C": None} == {**settings.as_dict(), "C": None}
        assert (twin.B, twin.C.d) == (f"1{os.environ['HOME']}", "1")
    twin = copy.deepcopy(settings)
    twin.set("A", 5)
    assert settings.A == 1


def test_what_pickles_without_this_package_pickles_with_it(
    volume: AtomicWriter, settings: Any
) -> None:
    """A pickled object comes back as plain settings of dynaconf, wherever plain ones do."""
    volume.write({"A": "1", "B": "@format {this.A}", "C__d": "[1, 2]"})
    try:
        pickle.dumps(plain(A=1))
    except (AttributeError, pickle.PicklingError) as error:  # up to 3.2 with os.environ
        assert "encode" in str(error)  # noqa: PT017 -- because either line is right
        with pytest.raises(type(error)):
            pickle.dumps(settings)
        return
    for _ in range(2):
        back: Any = pickle.loads(pickle.dumps(settings))
        assert back.as_dict() == settings.as_dict()
        assert back.B == "1"
        assert type(_dynaconf.unwrap(back)) is Settings
        assert _dynaconf.attachment_of(_dynaconf.unwrap(back)) is None
        volume.write({"A": "1", "B": "@format {this.A}", "C__d": "[1, 2]", "E": "1"})
        get_reloader(settings).reload()


def test_validators_of_a_copy_are_not_those_of_construction(settings: Any) -> None:
    """After construction validators validate again; a copy's are a list of dynaconf's own."""
    settings.as_dict()
    assert type(copy.deepcopy(settings).validators) is ValidatorList
    settings.validators.register(Validator("A", must_exist=True))
    with pytest.raises(Exception, match="A is required"):
        settings.validators.validate()


def test_plain_containers_work_as_well(volume: AtomicWriter) -> None:
    """With ``dynaboxify=False`` (3.3) dictionaries stay plain ones, in snapshots too."""
    volume.write({"A": "1", "DB__x": "1", "L": "[1, {y = 1}]"})
    settings = make_settings(volume.directory, k8s_watch=False, dynaboxify=False)
    reloader = get_reloader(settings)
    snapshot = reloader.snapshot()
    settings.set("PLAIN", [1])
    dict.__setitem__(settings.store, "LIST", [1])
    copied = reloader.snapshot()
    dict.__getitem__(settings.store, "LIST").append(2)
    assert dict.__getitem__(copied.store, "LIST") == [1]
    volume.write({"A": "2", "DB__x": "2"})
    assert reloader.reload().outcome == "applied"
    assert (settings.A, settings.DB["x"], list(settings.PLAIN)) == (2, 2, [1])
    assert (snapshot.A, snapshot.DB["x"], snapshot.L[1]["y"]) == (1, 1, 1)


def test_a_late_reader_of_a_generation_leaves_no_value_of_the_next_in_it(
    volume: AtomicWriter, settings: Any
) -> None:
    """What dynaconf since 3.3 would keep in the cache of a generation that has gone stays out."""
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    live = _dynaconf.unwrap(settings)
    core, anchor = vars(live).get("__core__"), _dynaconf.attached(live).generation.anchor
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    if core is not None:
        core.set_cached("A", 2)  # as a reader does that began before the publication
        with pytest.raises(KeyError):
            core.get_cached("A")
    assert (settings.A, anchor.get("A")) == (2, 1)


def test_a_copy_for_a_hook_serves_its_generation(volume: AtomicWriter, settings: Any) -> None:
    """A `dynaconf_clone` that loads again serves what is published, not what lies on the disk."""
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    clone = _dynaconf.unwrap(settings).dynaconf_clone()
    volume.write({"MYAPP_A": "2"})
    assert clone.get_fresh("A") == 1
    assert _dynaconf.attachment_of(clone) is _dynaconf.attachment_of(_dynaconf.unwrap(settings))
    assert settings.A == 1


def test_what_is_held_of_the_first_generation_stays_in_it(
    volume: AtomicWriter, settings: Any
) -> None:
    """A store of generation 1 evaluates what code put into it within generation 1."""
    volume.write({"MYAPP_A": "1"})
    settings.set("LATE", "@format {this.A}")
    held = settings.store
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.LATE, held["LATE"]) == ("2", "1")


def test_a_generation_shows_counts_and_no_value(volume: AtomicWriter, settings: Any) -> None:
    """What is attached to a settings object can be printed; once published it is built no more."""
    volume.write({"MYAPP_A": "hidden"})
    assert settings.A == "hidden"
    attachment = _dynaconf.attached(_dynaconf.unwrap(settings))
    assert re.fullmatch(
        r"<Generation of Payload\(1 variables, revision \w{16}\)>", repr(attachment.generation)
    )
    assert "hidden" not in repr(attachment)
    with pytest.raises(RuntimeError, match="published"):
        _ = attachment.under_way


def test_loading_begins_with_the_loader_of_defaults() -> None:
    """``execute_loaders`` finds ``default_loader`` by its name, among the names of its module."""
    function = Settings.execute_loaders
    assert function.__globals__[default_loader.__name__] is default_loader
    assert default_loader.__name__ in function.__code__.co_names
    assert not function.__closure__


def test_setting_a_nested_name_goes_through_methods_that_a_class_may_redefine() -> None:
    """The methods that folding looks at are there, and merging goes through them."""
    assert all(callable(vars(Settings)[name]) for name in putting.SETTING)
    assert "object_merge" in inspect.unwrap(vars(Settings)["_dotted_set"]).__code__.co_names
    assert "_merge_before_set" in inspect.unwrap(vars(Settings)["set"]).__code__.co_names


def test_the_containers_look_up_in_the_object_that_they_are_handed_to() -> None:
    """A template within a nested value is evaluated with the settings that its container names."""
    one, other = plain(NAME="one", D={"x": {"y": "@format {this.NAME}"}}), plain(NAME="other")
    held = dict.__getitem__(one.store, "D")
    for container in (held, dict.__getitem__(held, "x")):
        containers.hand_over(container, other)
    assert held["x"]["y"] == "other"


def test_a_plain_container_is_stored_as_dynaconf_stores_it() -> None:
    """A dictionary, since 3.3 a list too, becomes a container; up to 3.2 a list stays itself."""
    settings = plain(D={"a": [1]}, L=[{"a": 1}])
    for name, given in (("D", {"a": [1]}), ("L", [{"a": 1}])):
        stored = dict.__getitem__(settings.store, name)
        contained = containers.contained(settings, given)
        if state.UP_TO_3_2 and name == "L":
            assert contained is given
        else:
            assert (type(contained), contained) == (type(stored), stored)


@pytest.mark.skipif(not state.UP_TO_3_2, reason="since 3.3 nothing is noted of a key")
@pytest.mark.parametrize(
    "make",
    [
        lambda: 1,
        lambda: None,
        lambda: "text",
        lambda: (1, [2]),
        lambda: [1, [2, {"a": [3]}]],
        lambda: {"a": [1]},
        lambda: BoxList([1]),
        lambda: DynaBox(a=1),
        lambda: Lazy("{this.A}"),
    ],
)
def test_a_value_is_put_into_a_dictionary_as_box_puts_it(make: Callable[[], Any]) -> None:
    """Up to 3.2 the short way leaves the same content, types, options and names of attributes."""
    boxes = [DynaBox(b=1, box_settings={"A": 1}) for _ in range(2)]
    for key in ("lower", "UPPER", "_x1", "9", "a-b", "class", "ä", "a b", ""):
        value = make()
        boxes[0][key] = value
        containers.put_up_to_3_2(boxes[1], key, value)
        usual, short = (dict.__getitem__(box, key) for box in boxes)
        assert type(short) is type(usual)
        assert repr(short) == repr(usual)
        assert (short is value) == (usual is value)
        assert getattr(short, "box_options", None) == getattr(usual, "box_options", None)
    assert boxes[1]._box_config == boxes[0]._box_config


def test_what_readers_were_given_is_shared_and_forgotten_where_it_is_kept() -> None:
    """Since 3.3 there is a cache in the core, which names the object that it belongs to."""
    one, other = plain(L=[1], A=1), plain(L=[2])
    given = one.L, one.A, other.L
    core = vars(one).get("__core__")
    assert (core is None) == state.UP_TO_3_2
    state.share_cache(one, other, {"L"})
    if core is not None:
        assert core.obj is one
        assert core.cache_enabled
        assert other.L is given[0]
        assert "A" not in vars(other)["__core__"]._cache
    for settings in (one, other):
        state.clear_cache(settings)
        state.end_cache(settings)
    if core is not None:
        assert core._cache == {}
        assert one.L == [1]
        assert core._cache == {}


def test_a_request_for_fresh_values_is_noted_where_it_is_put_off() -> None:
    """``fresh()`` and ``fresh_vars`` are two entries, which a load for them has to leave out."""
    settings = plain(A=1)
    core = vars(settings).get("__core__")
    held = vars(settings) if core is None else vars(core.config)
    fresh, names = (
        ("_fresh", "FRESH_VARS_FOR_DYNACONF") if core is None else ("fresh", "fresh_vars")
    )
    assert held[fresh] is False
    with settings.fresh():
        assert held[fresh] is True
    assert list(held[names]) == []


def test_hooks_around_reading_are_found_by_their_name() -> None:
    """``HookableSettings`` looks its hooks up in an attribute that is carried over."""
    settings = HookableSettings(A=1)
    hook = Hook(lambda _, value, *__, **___: HookValue(value.value + 1))
    vars(settings)[state.REGISTERED_HOOKS[0]] = {Action.AFTER_GET: [hook]}
    assert settings.get("A") == 2
    assert settings.get("B", 4) == 5


def test_dynaconfs_own_state_would_show_values() -> None:
    """Since 3.3 the ``repr`` of the core's configuration has all that was loaded, but for us."""
    settings = plain(A="hidden")
    core = vars(settings).get("__core__")
    if core is not None:
        assert "hidden" in repr(core.config)
        _dynaconf.quieten(settings)
        assert "hidden" not in repr(core.config)
        assert type(copy.copy(core.config)) is not type(core.config)
    assert "hidden" not in repr(settings)


def test_a_wrapper_asks_its_class_for_what_it_wraps() -> None:
    """A subclass may give ``_wrapped`` as a property, and the class be exchanged for it."""
    lazy, other = Dynaconf(A=1), plain(A=2)
    assert lazy.A == 1
    own = type(lazy)
    with _dynaconf.shown_to_thread(lazy, other):
        assert (lazy.A, lazy["A"], lazy.get("A"), "A" in lazy) == (2, 2, 2, True)
    assert (lazy.A, type(lazy)) == (1, own)


def test_what_was_shown_and_left_behind_does_not_end_what_is_shown_now() -> None:
    """An interruption on the way in leaves the end to the collector, which may come late."""
    lazy, other, another = Dynaconf(A=1), plain(A=2), plain(A=3)
    left_behind = _dynaconf.shown_to_thread(lazy, other)
    left_behind.__enter__()
    own = type(lazy).__base__
    with _dynaconf.shown_to_thread(lazy, another):
        left_behind.__exit__(None, None, None)
        assert lazy.A == 3
    assert lazy.A == 1
    assert own in type(lazy).__mro__


def test_env_files_are_parsed_by_dynaconfs_own_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What we read of a ``.env`` file is what dynaconf writes into the environment."""
    file = tmp_path / ".env"
    file.write_text("MYAPP_CONTRACT='a b' # more\nexport MYAPP_CONTRACTED=${MYAPP_CONTRACT}c\n")
    monkeypatch.setenv("DOTENV_PATH_FOR_DYNACONF", str(file))
    found = files._dotenv_values(str(file))
    before = dict(os.environ)
    try:
        plain(load_dotenv=True)
        assert {name: os.environ[name] for name in found} == dict(found)
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
    assert len(found) == 2
