"""Only what was published is served, whichever way an application asks."""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from dynaconf import ValidationError, Validator

from dynaconf_k8s_reload import MountError, get_reloader
from dynaconf_k8s_reload._dynaconf import children, putting, unwrap
from dynaconf_k8s_reload._environ.mirror import Mirror
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


@pytest.fixture
def refused(volume: AtomicWriter, tmp_path: Path) -> Any:
    """Settings whose mount holds content that has been refused."""
    (tmp_path / "s.toml").write_text('[development]\nWHO = "d"\n[production]\nWHO = "p"\n')
    volume.write({"MYAPP_A": "1", "DB__x": "1", "DB__y": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        settings_files=[str(tmp_path / "s.toml")],
        validators=[Validator("A", lte=5)],
    )
    settings.A  # noqa: B018 -- because reading loads
    volume.write({"MYAPP_A": "9", "DB__x": "9", "NEW": "9"})
    assert get_reloader(settings).reload().outcome == "rejected"
    return settings


def served(settings: Any) -> list[Any]:
    return [settings.get("A"), dict(settings.get("DB")), settings.get("NEW")]


PUBLISHED = [1, {"x": 1, "y": 1}, None]


def test_get_fresh_serves_the_published_generation(refused: Any) -> None:
    """``get_fresh``, nested keys included, never looks at the disk."""
    assert refused.get_fresh("A") == 1
    assert dict(refused.get_fresh("DB")) == {"x": 1, "y": 1}
    assert refused.get_fresh("NEW") is None
    assert served(refused) == PUBLISHED


def test_fresh_serves_the_published_generation(refused: Any) -> None:
    """Within ``fresh()`` each read loads again, from what was published."""
    with refused.fresh():
        assert refused.A == 1
        assert refused.get("NEW") is None
        assert dict(refused.DB) == {"x": 1, "y": 1}


def test_fresh_vars_serve_the_published_generation(volume: AtomicWriter) -> None:
    """A name in ``fresh_vars`` is loaded at each read, nested keys included."""
    volume.write({"DB__x": "1", "DB__y": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, fresh_vars=["DB"])
    for count in (1, 2):
        volume.write({"DB__x": str(count), "DB__y": "1"})
        get_reloader(settings).reload()
        volume.write({"DB__x": "9"})
        for _ in range(2):
            assert dict(settings.DB) == {"x": count, "y": 1}


def test_other_environments_serve_the_published_generation(refused: Any) -> None:
    """``from_env``, ``using_env`` and ``setenv`` load files, and the published mounts."""
    child = refused.from_env("production")
    assert [child.WHO, *served(child)] == ["p", *PUBLISHED]
    with refused.using_env("production"):
        assert [refused.WHO, *served(refused)] == ["p", *PUBLISHED]
    refused.setenv("production")
    assert [refused.WHO, *served(refused)] == ["p", *PUBLISHED]


def test_dynaconfs_reload_serves_the_published_generation(refused: Any) -> None:
    """A user's own ``settings.reload()`` reads the files again, and the published mounts."""
    refused.reload()
    assert served(refused) == PUBLISHED
    assert os.environ["MYAPP_A"] == "1"


def test_what_comes_next_is_served_by_every_door(refused: Any, volume: AtomicWriter) -> None:
    """Once good content is published, all of them serve that."""
    held = refused.from_env("production")
    volume.write({"MYAPP_A": "2", "DB__x": "2"})
    assert get_reloader(refused).reload().outcome == "applied"
    expected = [2, {"x": 2}, None]
    assert served(held) == expected
    assert refused.get_fresh("A") == 2
    refused.reload()
    assert served(refused) == expected
    assert refused.from_env("production") is held


def test_children_that_are_held_follow_with_what_code_did_to_them(
    refused: Any, volume: AtomicWriter
) -> None:
    """A ``from_env`` child, and its own child, follow, and keep what code has set in them."""
    child = refused.from_env("production")
    kept = refused.from_env("production", keep=True)
    grandchild = child.from_env("development")
    lock = threading.Lock()
    child.set("LOCK", lock)
    child.set("B", 1)
    for count in (2, 3, 4):
        volume.write({"MYAPP_A": str(count)})
        assert get_reloader(refused).reload().outcome == "applied"
        assert (count, "p", 1) == (child.A, child.WHO, child.B)
        assert child.LOCK is lock
        assert (count, "d") == (grandchild.A, grandchild.WHO)
        assert (count, "p") == (kept.A, kept.WHO)
        assert child.from_env("development") is grandchild
        assert refused.from_env("production") is child


def test_a_child_made_while_a_candidate_is_built_follows(
    refused: Any, volume: AtomicWriter
) -> None:
    """A candidate gets the children that code has asked for meanwhile, and these get theirs."""
    made: list[Any] = []

    def check(*_: Any) -> None:
        if not made:
            made.extend(refused.from_env("production", MADE=number) for number in range(2))
            made.append(made[0].from_env("development"))

    get_reloader(refused).on_validate(check)
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(refused).reload().outcome == "applied"
    assert [child.A for child in made] == [2, 2, 2]
    made[0].set("LATE", 1)
    volume.write({"MYAPP_A": "3"})
    get_reloader(refused).reload()
    assert [child.A for child in made] == [3, 3, 3]
    assert made[0].LATE == 1


def test_a_child_that_was_being_made_during_a_publication_follows(
    refused: Any, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that was built from the generation before is built again before it is given out."""
    from dynaconf_k8s_reload._dynaconf import live as following

    done: list[Any] = []
    real = children.child_of

    def child_of(*args: Any) -> Any:
        construct = real(*args)
        if done:
            return construct

        def slow(**keywords: Any) -> Any:
            child = construct(**keywords)
            if not done:
                done.append(1)
                volume.write({"MYAPP_A": "2"})
                assert get_reloader(refused).reload().outcome == "applied"
            return child

        return slow

    monkeypatch.setattr(following, "child_of", child_of)
    child = refused.from_env("production")
    assert child.A == 2
    volume.write({"MYAPP_A": "3"})
    get_reloader(refused).reload()
    assert child.A == 3
    assert refused.from_env("production") is child


def test_two_threads_that_ask_for_a_child_get_the_same(refused: Any) -> None:
    """However many threads ask at once for an environment, there is one object for it."""
    start = threading.Barrier(4)
    children: list[Any] = []

    def ask() -> None:
        start.wait(10)
        children.append(refused.from_env("production"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(child) for child in children}) == 1


def test_validators_of_other_environments_see_the_candidate(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """A validator with ``env=[…]`` is asked about the update, in each of them."""
    (tmp_path / "s.toml").write_text("[default]\nX = 1\n[production]\nX = 2\n")
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        environments=True,
        settings_files=[str(tmp_path / "s.toml")],
        validators=[Validator("A", lte=5, env=["production", "development"])],
    )
    assert settings.A == 1
    held = settings.from_env("production")
    volume.write({"A": "9"})
    assert get_reloader(settings).reload().outcome == "rejected"
    assert (held.A, settings.A) == (1, 1)
    volume.write({"A": "5"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (held.A, settings.A, held.X) == (5, 5, 2)
    assert settings.from_env("production") is held


def test_a_first_load_that_fails_leaves_nothing_behind(
    volume: AtomicWriter, mirror: Mirror
) -> None:
    """Ten failed first loads leave no thread, no variable and no reloader; then one works."""
    from dynaconf_k8s_reload._watch import RENEWED_AFTER_FORK

    before, threads = dict(os.environ), set(threading.enumerate())
    earlier = WeakSet(RENEWED_AFTER_FORK)
    volume.write({"MYAPP_A": "9", "MYAPP_B": "1"})
    settings = make_settings(volume.directory, validators=[Validator("A", lte=5)])
    for _ in range(10):
        with pytest.raises(ValidationError):
            settings.get("A")
    eventually(lambda: set(RENEWED_AFTER_FORK) <= set(earlier), collecting=True)
    assert dict(os.environ) == before
    eventually(lambda: set(threading.enumerate()) <= threads)
    assert not mirror._ledger.owners
    volume.write({"MYAPP_A": "1"})
    assert settings.A == 1
    assert get_reloader(settings).status().generation == 1
    assert os.environ["MYAPP_A"] == "1"


def test_a_first_load_without_a_required_mount_fails_cleanly(tmp_path: Path) -> None:
    """An absent required mount raises each time, and leaves no thread."""
    settings = make_settings({"path": str(tmp_path / "none"), "required": True})
    threads = set(threading.enumerate())
    for _ in range(2):
        with pytest.raises(MountError, match="absent and required"):
            settings.get("A")
    assert set(threading.enumerate()) == threads


def test_a_mount_cannot_reconfigure_dynaconf(volume: AtomicWriter, tmp_path: Path) -> None:
    """``INCLUDES_FOR_DYNACONF`` and its like in a mount include no file, at start and later."""
    evil = tmp_path / "evil.toml"
    evil.write_text("EVIL = 1\n")
    content = {
        "INCLUDES_FOR_DYNACONF": f'["{evil}"]',
        "MYAPP_INCLUDES_FOR_DYNACONF": f'["{evil}"]',
        "DYNACONF_INCLUDE": f'["{evil}"]',
        "MYAPP_DYNACONF_INCLUDE": f'["{evil}"]',
        "dynaconf_include": f'["{evil}"]',
        "DYNACONF_PRELOAD_FOR_DYNACONF": f'["{evil}"]',
        "A": "1",
    }
    volume.write(content)
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    for count in ("2", "3"):
        assert "EVIL" not in settings
        assert "INCLUDES_FOR_DYNACONF" not in os.environ
        volume.write({**content, "A": count})
        assert reloader.reload().outcome == "applied"
    assert "EVIL" not in settings.from_env("production")
    assert reloader.status().skipped["INCLUDES_FOR_DYNACONF"].startswith("reserved for dynaconf")
    assert unwrap(settings).A == 3


def test_a_dotenv_file_is_not_applied_again_by_a_candidate(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``dotenv_override`` a changed variable stays as the process made it, file or no file."""
    (tmp_path / ".env").write_text("MYAPP_FROM_FILE=file\n")
    monkeypatch.setenv("MYAPP_FROM_FILE", "process")
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        load_dotenv=True,
        dotenv_path=str(tmp_path / ".env"),
        dotenv_override=True,
    )
    assert (settings.FROM_FILE, os.environ["MYAPP_FROM_FILE"]) == ("file", "file")
    monkeypatch.setenv("MYAPP_FROM_FILE", "later")
    held = settings.from_env("production")
    for count in (2, 3):
        volume.write({"A": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
        assert os.environ["MYAPP_FROM_FILE"] == "later"
        assert (count, True, count) == (settings.A, settings.LOAD_DOTENV, held.A)


def test_a_late_reader_writes_into_the_generation_that_it_is_of(volume: AtomicWriter) -> None:
    """A value that `get_fresh` began to load before a publication does not end up after it."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader, put_all = get_reloader(settings), putting.put_all
    main = threading.current_thread()

    def late(loading: Any, entries: Any) -> None:
        if threading.current_thread() is not main:
            reader_waits.set()
            assert published.wait(10)
        put_all(loading, entries)

    reader_waits, published = threading.Event(), threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(putting, "put_all", late)
        reader = threading.Thread(target=lambda: settings.get_fresh("A"))
        reader.start()
        assert reader_waits.wait(10)
        volume.write({"MYAPP_A": "2"})
        assert reloader.reload().outcome == "applied"
        published.set()
        reader.join()
    assert (settings.A, reloader.snapshot().A) == (2, 2)


def test_what_the_application_writes_shows_through_the_side_doors(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that no mount provides is loaded as it is by now, as dynaconf itself does."""
    monkeypatch.setenv("MYAPP_OWN", "1")
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.OWN == 1
    monkeypatch.setenv("MYAPP_OWN", "2")
    assert (settings.get_fresh("OWN"), settings.from_env("other").OWN) == (2, 2)
    settings.reload()
    assert (settings.OWN, settings.A) == (2, 1)


def test_a_fresh_value_is_loaded_though_unknown_ones_are_ignored(volume: AtomicWriter) -> None:
    """`ignore_unknown_envvars` is for loading all; one that is asked for by name is loaded."""
    volume.write({"MYAPP_U": "5"})
    settings = make_settings(volume.directory, k8s_watch=False, ignore_unknown_envvars=True)
    assert settings.get("U") is None
    assert settings.get_fresh("U") == 5


def test_a_hook_may_ask_for_another_environment(volume: AtomicWriter, tmp_path: Any) -> None:
    """``from_env`` in a hook works in each generation; the hook has a copy of the settings."""
    (tmp_path / "settings.toml").write_text("[default]\nB = 'd'\n[production]\nB = 'p'\n")
    volume.write({"MYAPP_A": "1"})

    def hook(settings: Any) -> dict[str, Any]:
        child = settings.from_env("production")
        return {"FROM_HOOK": f"{child.B} {child.A}"}

    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        root_path=str(tmp_path),
        settings_files=["settings.toml"],
        environments=True,
        post_hooks=[hook],
    )
    assert settings.FROM_HOOK == "p 1"
    held = settings.from_env("production")
    for count in (2, 3):
        volume.write({"MYAPP_A": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
        assert f"p {count}" == settings.FROM_HOOK
        assert settings.from_env("production") is held
        assert count == held.A


def test_what_is_done_to_a_copy_stays_there(volume: AtomicWriter) -> None:
    """A copy that an application makes leaves no trace in the generations that follow."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, environments=True)
    assert settings.A == 1
    twin = copy.deepcopy(settings)
    twin.set("ONLY_THERE", 1, loader_identifier="code")
    assert (twin.from_env("other").A, twin.ONLY_THERE) == (1, 1)
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.A, settings.get("ONLY_THERE")) == (2, None)


def test_validators_of_a_copy_judge_the_copy(volume: AtomicWriter) -> None:
    """They do so after a reload, too, in a clone of dynaconf's as well."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, validators=[Validator("A", lt=3)])
    for count in (1, 2):
        volume.write({"A": str(count), "B": str(count)})
        get_reloader(settings).reload()
        first = copy.deepcopy(settings)
        for twin in (copy.deepcopy(first), first, settings.dynaconf.clone()):
            twin.validators.validate()
            twin.set("A", 3)
            with pytest.raises(ValidationError, match="A must lt 3"):
                twin.validators.validate()
        settings.validators.validate()


def test_a_settings_files_hooks_are_no_keywords(volume: AtomicWriter, tmp_path: Any) -> None:
    """Those that it adds to the list that ``Dynaconf(...)`` was given are its own each time."""
    (tmp_path / "hooked.py").write_text(
        "from dynaconf import post_hook\n@post_hook\ndef hook(settings):\n    return {'H': 1}\n"
    )
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        root_path=str(tmp_path),
        settings_files=["hooked.py"],
        post_hooks=[lambda settings: {"K": settings.A}],
    )
    kept = len(settings.POST_HOOKS)
    for count in (2, 3):
        volume.write({"MYAPP_A": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
        assert (settings.H, settings.K, len(settings.POST_HOOKS)) == (1, count, kept)
