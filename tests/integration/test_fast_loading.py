"""The short way of loading gives what dynaconf's own long way gives, key by key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from dynaconf import Dynaconf, default_settings
from dynaconf.base import Settings
from dynaconf.utils import find_the_correct_casing
from dynaconf.utils.parse_conf import parse_conf_data
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._dynaconf import live, loading, putting, state
from dynaconf_k8s_reload._dynaconf import variables as applying
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._source.content import UNPARSED, Variable
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, make_settings

thorough = profile(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
ADDRESS = r"at 0x[0-9a-f]+|on \d+"  # of a merge that dynaconf has left unapplied
KEYS = st.sampled_from(
    [
        *("A", "B", "MYAPP_A", "MYAPP_B", "MYAPP_a", "MYAPP_DB__HOST", "MYAPP_DB__PORT"),
        *("MYAPP_A.b", "MYAPP_B___1", "DYNACONF_A", "MYAPP_LIST", "MYAPP_SETTINGS_MODULE"),
        *("MYAPP_DB", "ENVIRON"),
    ]
)
TEXTS = st.sampled_from(
    [
        *("1", "-0", "-7", "007", "1_000", "12345678901234567890", "-0.50", "1.", ".5", "1e3"),
        *("1.5", "true", "True", "text", "true text", "", "\n", "a\n", "[1, {a=2}]", "{a=1}"),
        *('[1, -0.50, true, "a b"]\n', "[ ]", "[1,]", "[07, 1]", '["@int 3"]', '["a\\tb"]'),
        *("@int 3", "@merge 4", "@merge {b=2}", "@del", "@format {this.B}", "@insert 0 1"),
        *("'@int 3'", "1979-05-27", "08", "inf", "nan", "-", "\u00e9", "0x1f", "dynaconf_merge"),
        *("@none", "internal", "false alarm", "information", "True ", "tcp://x", "nan # a comment"),
    ]
)
CONTENTS = st.dictionaries(KEYS, TEXTS, max_size=8)


@contextmanager
def the_long_way() -> Iterator[None]:
    """Leave every key to dynaconf, for a moment."""

    def put_all(settings: Any, entries: Any) -> None:
        for key, value, source in entries:
            settings.set(key, value, loader_identifier=source, validate=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(putting, "put_all", put_all)
        patch.setattr(loading, "put_defaults", lambda _: None)
        patch.setattr(live, "put_keyword", lambda *_: False)
        patch.setattr(loading, "loading", lambda held: partial(Settings.execute_loaders, held))
        patch.setattr(applying, "LETTERS", frozenset())
        patch.setattr(applying, "NUMBER", "(?!)")
        patch.delattr(live.FollowsMounts, "get_environ")
        patch.setattr(Variable, "value", property(lambda _: UNPARSED, lambda *_: None))
        yield


def _shown(value: object) -> str:
    try:
        return re.sub(ADDRESS, "", repr(value))
    except RecursionError:  # up to 3.2, of a template that names what holds it
        return "without end"


def laid_out(settings: Any) -> dict[str, str]:
    """Everything dynaconf keeps of the loaded values, its options and its history included."""
    held = state.unwrap(settings)
    history = {
        (str(source), key): _shown(value) if not isinstance(value, dict) else "a table"
        for source, values in state.get(held, "loaded_by_loaders").items()
        for key, value in values.items()
    }
    shown: dict[str, str] = {}
    for key, value in dict.items(state.get(held, "store")):
        kind = type(value).__name__.removeprefix("Pinned")
        try:
            shown[key] = f"{kind} {re.sub(ADDRESS, '', repr(settings[key]))}"
        except Exception as error:
            shown[key] = type(error).__name__  # a template that leads nowhere
    order = {"order": str(list(shown))}
    deleted = {"deleted": str(sorted(map(str, state.get(held, "deleted"))))}
    return {**shown, **{str(name): text for name, text in history.items()}, **deleted, **order}


@given(st.lists(CONTENTS, min_size=1, max_size=3), st.sampled_from(["MYAPP", False, "MYAPP,B"]))
@thorough
def test_short_and_long_way_agree(
    volume: AtomicWriter, contents: list[dict[str, str]], prefix: Any
) -> None:
    """After any reloads, values, types, history and order are those that dynaconf alone makes."""
    options = {"k8s_watch": False, "k8s_mirror": False, "envvar_prefix": prefix, "B": [1, 2]}

    def load() -> list[Any]:
        volume.write({})
        settings = make_settings(volume.directory, **options)
        results: list[Any] = [("first", laid_out(settings))]
        for content in contents:
            volume.write(content)
            outcome = get_reloader(settings).reload().outcome
            results.append((outcome, laid_out(settings)))
        get_reloader(settings).stop(restore=True)
        return results

    with the_long_way():
        long = load()
    for (_, expected), (_, actual) in zip(long, load(), strict=True):
        keys = expected.keys() | actual.keys()
        assert {k: actual.get(k) for k in keys if actual.get(k) != expected.get(k)} == {}
        assert actual == expected


def test_loading_looks_through_all_keys_for_none(volume: AtomicWriter) -> None:
    """Loading a thousand keys, tables, lists and nested ones among them, never scans them all."""
    scans = 0

    def counted(key: str, data: Any) -> Any:
        nonlocal scans
        scans += len(data) > 200 and key not in data
        return find_the_correct_casing(key, data)

    def content(number: int) -> dict[str, str]:
        forms = ("MYAPP_K{}", "MYAPP_K{}", "MYAPP_A__K{}", "MYAPP_B__b{}__C")
        texts = ("[{}]", "{{a={}}}", "text {}", "@format {}")
        return {
            forms[i % 4].format(i): texts[i % 4 if i % 4 < 3 else i % 3].format(number)
            for i in range(1000)
        }

    volume.write(content(1))
    settings = make_settings(volume.directory, k8s_watch=False, k8s_mirror=False)
    reloader = get_reloader(settings)
    volume.write(content(2))
    with pytest.MonkeyPatch.context() as patch:
        for module in _modules_that_scan():
            patch.setattr(module, "find_the_correct_casing", counted)
        assert reloader.reload().outcome == "applied"
    assert scans < 10  # dynaconf asks for a few options that nobody has set


def _modules_that_scan() -> list[Any]:
    import dynaconf.base
    import dynaconf.utils

    try:
        import dynaconf.utils.boxing as boxes
    except ImportError:
        return [dynaconf.utils]
    return [dynaconf.utils, boxes]


def test_what_has_not_changed_is_not_parsed_again(volume: AtomicWriter) -> None:
    """A reload parses what changed only, and neither a plain text nor a plain number."""
    content = {f"MYAPP_K{i}": f'"{i}"' for i in range(100)} | {"MYAPP_TEXT": "just a text"}
    volume.write(content)
    settings = make_settings(volume.directory, k8s_watch=False, k8s_mirror=False)
    reloader = get_reloader(settings)
    parsed: list[str] = []

    def counted(text: str, **options: Any) -> Any:
        parsed.append(text)
        return parse_conf_data(text, **options)

    volume.write(content | {"MYAPP_K7": '"7007"', "MYAPP_K8": "8", "MYAPP_TEXT": "another text"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applying, "parse_conf_data", counted)
        assert len(reloader.reload().changes) == 3
    assert parsed == ['"7007"']
    expected = ("6", "7007", 8, "another text")
    assert expected == (settings.K6, settings.K7, settings.K8, settings.TEXT)


@pytest.mark.heavy
def test_a_mebibyte_of_ten_thousand_keys(volume: AtomicWriter) -> None:
    """The largest ConfigMap there can be is loaded, reloaded and mirrored."""
    volume.write({f"MYAPP_KEY_{i}": f"{i:0>80}x" for i in range(10_000)})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    volume.write({f"MYAPP_KEY_{i}": f"{i:0>80}y" for i in range(10_000)})
    assert len(reloader.reload().changes) == 10_000
    expected = "9999y".zfill(81)
    assert os.environ["MYAPP_KEY_9999"] == settings.KEY_9999 == expected


def test_a_key_that_a_class_of_settings_has_is_left_to_dynaconf() -> None:
    """Names of dynaconf's own, and those that it takes apart in ways of its own, have no path."""
    kind: Any = type(state.unwrap(Dynaconf(loaders=[])))
    path_of = putting._paths(kind, Names())
    assert path_of("pool_size") == ("POOL_SIZE",)
    assert path_of("db__Host.x") == ("DB", "Host", "x")
    odd = ["LOADERS_FOR_DYNACONF", "SETTINGS_MODULE", "A b", "\u00e9", "A__", "A__dynaconf_merge"]
    for key in (*odd, "A[0]", "A__b___0", "_box_config__x"):
        assert path_of(key) == ()
    assert putting._paths(kind, Names(nested=False))("A.b") == ()
    own = type("Own", (kind,), {"CURRENT": 1})
    assert putting._paths(own, Names())("CURRENT") == ()


def test_without_a_separator_a_name_is_whole(volume: AtomicWriter) -> None:
    """Where an application switches nesting off, two underscores mean nothing."""
    volume.write({"MYAPP_DB__HOST": "one"})
    settings = make_settings(volume.directory, k8s_watch=False, nested_separator=False)
    assert settings["DB__HOST"] == "one"
    assert settings.get_fresh("DB__HOST") == "one"


def test_a_class_with_a_set_of_its_own_has_it_called(volume: AtomicWriter) -> None:
    """What an application's class of settings makes of a value, it makes of each."""

    class Shouting(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
            super().set(key, f"{value}!" if key == "A" else value, *args, **kwargs)

    volume.write({"MYAPP_A": "hey"})
    settings = Dynaconf(
        envvar_prefix="MYAPP",
        loaders=LOADERS,
        k8s_mounts=[str(volume.directory)],
        k8s_watch=False,
        _wrapper_class=Shouting,
    )
    assert settings.A == "hey!"


def test_an_option_in_the_environment_takes_effect_at_a_reload(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What dynaconf reads from variables of its own names, a candidate has too."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, environments=True)
    assert settings.ENV_FOR_DYNACONF == "DEVELOPMENT"
    volume.write({"MYAPP_A": "2"})
    monkeypatch.setenv("ENV_FOR_DYNACONF", "production")
    get_reloader(settings).reload()
    assert (settings.A, settings.ENV_FOR_DYNACONF) == (2, "production")


def test_loaders_that_a_class_runs_itself_are_run_by_it(volume: AtomicWriter) -> None:
    """A class of settings with an execute_loaders of its own has it called at each reload."""
    runs = []

    class Counting(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def execute_loaders(self, *args: Any, **kwargs: Any) -> None:
            runs.append(1)
            super().execute_loaders(*args, **kwargs)

    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Counting)
    assert settings.A == 1
    volume.write({"MYAPP_A": "2"})
    get_reloader(settings).reload()
    assert (settings.A, len(runs)) == (2, 2)


def test_a_default_that_has_to_be_parsed_is_left_to_dynaconf(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default that is a token has its meaning after a reload, too."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.A == 1
    monkeypatch.setattr(default_settings, "SKIP_FILES_FOR_DYNACONF", "@json [1]")
    volume.write({"MYAPP_A": "2"})
    get_reloader(settings).reload()
    assert (settings.A, settings.SKIP_FILES_FOR_DYNACONF) == (2, [1])


@pytest.mark.skipif(state.UP_TO_3_2, reason="an option since 3.3")
def test_without_dynaconfs_containers_lists_stay_lists(volume: AtomicWriter) -> None:
    """Where an application switches dynaconf's containers off, a reload makes none either."""
    volume.write({"MYAPP_A": "[1]"})
    settings = make_settings(volume.directory, k8s_watch=False, dynaboxify=False, B=[1])
    assert settings.A == [1]
    volume.write({"MYAPP_A": "[2]"})
    get_reloader(settings).reload()
    assert (settings.A, settings.B, type(settings.store)) == ([2], [1], dict)
