"""Applications with a settings class of their own, and settings without a lazy wrapper."""

from __future__ import annotations

import threading
from typing import Any

from dynaconf.base import Settings

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, make_settings


def test_an_application_s_set_holds_nobody_up(volume: AtomicWriter) -> None:
    """While it runs, other threads ask for the status, and reload; what it sets is not lost."""
    done: list[Any] = []

    class Own(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        armed = False

        def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
            if Own.armed:
                Own.armed = False
                other = threading.Thread(target=ask)
                other.start()
                other.join(10)
            super().set(key, value, *args, **kwargs)

    def ask() -> None:
        reloader = get_reloader(settings)
        done.extend([reloader.status().generation, reloader.reload().outcome])

    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Own)
    assert settings.A == 1
    volume.write({"A": "2"})
    Own.armed = True
    settings.set("BY_CODE", 5)
    assert done == [1, "applied"]
    assert (settings.A, settings.BY_CODE) == (2, 5)
    volume.write({"A": "3"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.A, settings.BY_CODE) == (3, 5)


def test_settings_without_a_wrapper_follow(volume: AtomicWriter) -> None:
    """A ``Settings`` that was made directly has no lazy wrapper to lead anywhere."""
    volume.write({"A": "1"})
    settings = Settings(
        LOADERS_FOR_DYNACONF=LOADERS,
        ENVVAR_PREFIX_FOR_DYNACONF=False,
        K8S_MOUNTS=[str(volume.directory)],
        K8S_WATCH=False,
    )
    assert settings.A == 1
    settings.set("ITSELF", settings)
    volume.write({"A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.A == 2


def test_a_switch_that_cleans_nothing_keeps_what_code_added(volume: AtomicWriter) -> None:
    """``setenv(clean=False)`` leaves it, so a reload brings it back; one that cleans does not."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.set("ADDED", 1, loader_identifier="code")
    settings.setenv(clean=False)
    volume.write({"A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.ADDED == 1
    settings.setenv()
    assert settings.get("ADDED") is None
    volume.write({"A": "3"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.get("ADDED") is None
