"""Snapshots: settings of one generation that nothing which happens later can touch."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

LAZY = {
    "A": "1",
    "FORMAT": "@format {this.A}",
    "JINJA": "@jinja {{ this.A }}-{{ env.MYAPP_E }}",
    "MYAPP_E": "one",
    "ENV": "@format {env[MYAPP_E]}",
    "NEST__deep": "@format {this.A}{env[MYAPP_E]}",
    "LIST": '["a", {x = 1}]',
}


def shown(settings: Any) -> list[Any]:
    return [
        *(settings.A, str(settings.FORMAT), settings.JINJA, settings.ENV, settings.NEST.deep),
        next(iter(settings.LIST)),
        settings.LIST[1]["x"],
    ]


ONE = [1, "1", "1-one", "one", "1one", "a", 1]
TWO = [2, "2", "2-two", "two", "2two", "b", 2]


def second(volume: AtomicWriter) -> None:
    volume.write({**LAZY, "A": "2", "MYAPP_E": "two", "LIST": '["b", {x = 2}]'})


@pytest.mark.parametrize("generation", [1, 2])
def test_a_snapshot_stays_as_it_was(volume: AtomicWriter, settings: Any, generation: int) -> None:
    """Later reloads leave a snapshot alone, though its lazy values are evaluated only then."""
    volume.write({"B": "1"} if generation == 2 else LAZY)
    reloader = get_reloader(settings)
    if generation == 2:
        volume.write(LAZY)
        assert reloader.reload().generation == 2
    snapshot = reloader.snapshot()
    assert reloader.snapshot() is snapshot
    second(volume)
    assert reloader.reload().outcome == "applied"
    assert shown(snapshot) == ONE
    assert shown(settings) == TWO
    assert shown(reloader.snapshot()) == TWO
    assert os.environ["MYAPP_E"] == "two"
    volume.write({})
    reloader.reload()
    assert shown(snapshot) == ONE
    assert "A" not in settings


def test_a_set_on_the_live_settings_leaves_a_snapshot_alone(
    volume: AtomicWriter, settings: Any
) -> None:
    """Code that sets, nests, inserts or deletes does so in the live settings; the next has it."""
    volume.write(LAZY)
    reloader = get_reloader(settings)
    snapshot = reloader.snapshot()
    settings.set("A", "set")
    settings.set("NEW", 1)
    settings.LIST.append("more")
    settings.LIST[1]["x"] = 9
    settings.NEST["deep"] = "changed"
    settings.unset("ENV", force=True)
    assert shown(snapshot) == ONE
    assert "NEW" not in snapshot
    later = reloader.snapshot()
    assert later is not snapshot
    assert (later.A, later.NEW) == ("set", 1)
    assert (later.NEST.deep, "ENV" in later) == ("changed", False)


def test_a_set_on_a_snapshot_leaves_the_live_settings_alone(
    volume: AtomicWriter, settings: Any
) -> None:
    """What somebody does to a snapshot does not get into the application's settings."""
    volume.write(LAZY)
    reloader = get_reloader(settings)
    snapshot = reloader.snapshot()
    snapshot.set("A", "mine")
    snapshot.LIST.append("mine")
    snapshot.validators.clear()
    assert shown(settings) == ONE
    second(volume)
    reloader.reload()
    assert shown(settings) == TWO
    assert snapshot.A == "mine"


def test_a_reader_that_straddles_a_publication_leaves_no_value_behind(
    volume: AtomicWriter,
) -> None:
    """A read that began in one generation and ended in the next caches its value in neither."""
    from dynaconf.base import Settings

    inside, published = threading.Event(), threading.Event()

    class Slow(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def get(self, key: Any, *args: Any, **keywords: Any) -> Any:
            value = super().get(key, *args, **keywords)
            if key == "A" and threading.current_thread().name == "straddling":
                inside.set()
                assert published.wait(10)
            return value

    volume.write(LAZY)
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Slow)
    reloader = get_reloader(settings)
    settings.set("CACHED_SO_FAR", "forgotten")  # so that the next read is no cached one
    snapshot = reloader.snapshot()
    read: list[Any] = []
    thread = threading.Thread(target=lambda: read.append(settings.A), name="straddling")
    thread.start()
    assert inside.wait(10)
    second(volume)
    assert reloader.reload().outcome == "applied"
    published.set()
    thread.join(10)
    assert read == [1]
    assert shown(settings) == TWO
    assert shown(snapshot) == ONE


def test_nested_values_kept_from_before_stay_on_their_generation(
    volume: AtomicWriter, settings: Any
) -> None:
    """A nested value that somebody holds resolves its lazy parts where it came from."""
    volume.write(LAZY)
    reloader = get_reloader(settings)
    kept, listed = settings.NEST, settings.LIST
    second(volume)
    reloader.reload()
    assert kept.deep.startswith("1")
    assert listed[1]["x"] == 1
    kept_again = settings.NEST
    settings.reload()  # dynaconf's own loads it anew; what is held stays on the generation
    volume.write({**LAZY, "A": "3", "MYAPP_E": "three"})
    reloader.reload()
    assert kept_again.deep == "2two"
    assert settings.NEST.deep == "3three"


def test_lazy_values_loaded_by_dynaconfs_reload_stay_on_their_generation(
    volume: AtomicWriter, settings: Any
) -> None:
    """What a user's own ``reload()`` loads resolves within the generation that was served then."""
    volume.write(LAZY)
    reloader = get_reloader(settings)
    before = reloader.snapshot()
    settings.reload()
    kept = settings.NEST
    assert reloader.snapshot() is not before
    second(volume)
    reloader.reload()
    assert kept.deep == "1one"
    assert settings.NEST.deep == "2two"


def test_a_settings_files_templates_stay_on_their_generation(
    volume: AtomicWriter, tmp_path: Any
) -> None:
    """Also those that a user's own ``reload()`` has loaded, in a snapshot and in what is held."""
    (tmp_path / "s.toml").write_text('[own]\ndeep = "@format {this.A}{env[MYAPP_E]}"\n')
    volume.write(LAZY)
    settings = make_settings(
        volume.directory, k8s_watch=False, settings_files=[str(tmp_path / "s.toml")]
    )
    reloader = get_reloader(settings)
    settings.reload()
    kept, snapshot = settings.OWN, reloader.snapshot()
    second(volume)
    reloader.reload()
    assert (kept.deep, snapshot.OWN.deep, settings.OWN.deep) == ("1one", "1one", "2two")


def test_a_snapshot_of_another_environment_is_of_that(volume: AtomicWriter, tmp_path: Any) -> None:
    """After ``setenv`` the next snapshot holds the environment that is on."""
    (tmp_path / "s.toml").write_text('[development]\nWHO = "d"\n[production]\nWHO = "p"\n')
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        settings_files=[str(tmp_path / "s.toml")],
    )
    reloader = get_reloader(settings)
    first = reloader.snapshot()
    settings.setenv("production")
    assert (first.WHO, reloader.snapshot().WHO) == ("d", "p")


def test_a_snapshot_has_everything_a_settings_object_has(
    volume: AtomicWriter, settings: Any
) -> None:
    """It reads like the live settings: item, attribute, any case, dotted, iteration, as a dict."""
    volume.write({**LAZY, "MYAPP_DB__host": "x"})
    settings.set("ENGINE", engine := threading.Lock())
    snapshot = get_reloader(settings).snapshot()
    assert snapshot.as_dict() == settings.as_dict()
    assert sorted(snapshot) == sorted(settings._wrapped)
    assert snapshot["a"] == snapshot.get("A") == snapshot.a == 1
    assert snapshot.get("DB.HOST") == snapshot("db__host") == snapshot.DB.HOST == "x"
    assert snapshot.ENGINE is engine
    assert "db" in snapshot
    assert snapshot.get_fresh("A") == 1


def test_a_template_in_a_list_is_of_its_generation_also_where_files_are_merged(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merging evaluates what was loaded before, in the environment as it will be."""
    (tmp_path / "a.toml").write_text('L = ["@format {env[MYAPP_X]}"]\n')
    (tmp_path / "b.toml").write_text('L = ["b", "dynaconf_merge"]\n')
    files = [str(tmp_path / "a.toml"), str(tmp_path / "b.toml")]
    monkeypatch.setenv("MYAPP_X", "1")  # the pod's envFrom
    volume.write({"MYAPP_X": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, settings_files=files)
    get_reloader(settings)
    volume.write({"MYAPP_X": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert sorted(settings.L) == ["2", "b"]
