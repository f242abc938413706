"""Each request of a Flask application within one generation, and the three probes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dynaconf
import pytest
from dynaconf import FlaskDynaconf
from flask import Flask, send_file, stream_with_context
from werkzeug.test import EnvironBuilder, run_wsgi_app

from dynaconf_k8s_reload import Reloader
from dynaconf_k8s_reload.flask import K8sReload
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS


@pytest.fixture(autouse=True)
def global_settings() -> Iterator[None]:
    """FlaskDynaconf binds dynaconf's global settings anew; give them back."""
    before = dynaconf.settings
    yield
    dynaconf.settings = before


@pytest.fixture
def make_app(volume: AtomicWriter) -> Callable[..., Flask]:
    """Makes an app whose views have a swap in their middle."""

    def make(**options: Any) -> Flask:
        volume.write({"MYAPP_NUMBER": "1"})
        app = Flask("pinned")
        FlaskDynaconf(
            app,
            envvar_prefix="MYAPP",
            k8s_watch=False,
            load_dotenv=False,
            loaders=LOADERS,
            k8s_mounts=[str(volume.directory)],
            k8s_restart_503=True,
            k8s_restart_keys=["NUMBER"],
        )
        K8sReload(app, status_url="/-/config", **options)
        reloader: Reloader = app.extensions["k8s_reload"]

        def number() -> int:
            return int(reloader.snapshot().NUMBER)

        def swap() -> None:
            volume.set("MYAPP_NUMBER", str(app.config["NUMBER"] + 1))
            assert reloader.reload().outcome == "applied"

        @app.get("/plain")
        def plain() -> list[int]:
            before = number()
            swap()
            return [before, number()]

        def lines() -> Iterator[str]:
            yield f"{number()} "
            swap()
            yield f"{number()}"

        app.add_url_rule("/streamed", "streamed", lambda: app.response_class(lines()))
        app.add_url_rule(
            "/within", "within", lambda: app.response_class(stream_with_context(lines()))
        )
        app.add_url_rule("/file", "file", lambda: send_file(__file__))
        return app

    return make


def streamed(app: Flask, path: str, between: Callable[[], object] = lambda: None) -> list[int]:
    """Take an answer part by part, and do something before each."""
    parts, _, _ = run_wsgi_app(app, EnvironBuilder(path).get_environ())
    text = ""
    for part in parts:
        between()
        text += part.decode()
    parts.close()  # type: ignore[attr-defined] # reason: werkzeug gives one that can be closed
    return [int(each) for each in text.split()]


def test_a_request_sees_one_generation(make_app: Callable[..., Flask]) -> None:
    """With pin=True; the next request begins with the newest generation."""
    client = make_app(pin=True).test_client()
    assert client.get("/plain").get_json() == [1, 1]
    assert client.get("/plain").get_json() == [2, 2]


def test_without_a_pin_a_request_sees_two(make_app: Callable[..., Flask]) -> None:
    """That is what it is for, and it is not the default."""
    app = make_app()
    assert app.test_client().get("/plain").get_json() == [1, 2]
    assert streamed(app, "/streamed") == [2, 3]


@pytest.mark.parametrize("path", ["/streamed", "/within"])
def test_a_streamed_answer_keeps_its_generation(make_app: Callable[..., Flask], path: str) -> None:
    """To its last part, with a request context and without; nothing is pinned between the parts."""
    app = make_app(pin=True)
    reloader: Reloader = app.extensions["k8s_reload"]
    seen: list[int] = []
    assert streamed(app, path, lambda: seen.append(reloader.snapshot().NUMBER)) == [1, 1]
    assert seen[-1] == 2
    assert streamed(app, path) == [2, 2]


def test_an_answer_is_closed_once_it_is_sent(make_app: Callable[..., Flask]) -> None:
    """Also one of which no part was asked for, as after HEAD."""
    app = make_app(pin=True)
    closed: list[str] = []

    @app.after_request
    def note(response: Any) -> Any:
        response.call_on_close(lambda: closed.append("yes"))
        return response

    parts, _, _ = run_wsgi_app(app, EnvironBuilder("/streamed", method="HEAD").get_environ())
    parts.close()  # type: ignore[attr-defined] # reason: as above
    assert closed == ["yes"]


@pytest.mark.parametrize("path", ["/streamed", "/within"])
def test_an_answer_that_is_given_up_is_closed_in_its_generation(
    make_app: Callable[..., Flask], volume: AtomicWriter, path: str
) -> None:
    """What a view has called at the end belongs to its request, whoever reads on or does not."""
    app = make_app(pin=True)
    reloader: Reloader = app.extensions["k8s_reload"]
    closed: list[int] = []

    @app.after_request
    def note(response: Any) -> Any:
        response.call_on_close(lambda: closed.append(reloader.snapshot().NUMBER))
        return response

    parts, _, _ = run_wsgi_app(app, EnvironBuilder(path).get_environ())
    assert next(iter(parts))
    volume.set("MYAPP_NUMBER", "7")
    assert reloader.reload().outcome == "applied"
    parts.close()  # type: ignore[attr-defined] # reason: as above
    assert closed == [1]
    assert reloader.snapshot().NUMBER == 7


def test_a_file_is_left_to_the_server(make_app: Callable[..., Flask]) -> None:
    """It gets its own wrapper back, and may send the file without reading it."""

    class Wrapper(io.RawIOBase):
        def __init__(self, file: Any, size: int = 0) -> None:
            self.file = file

        def close(self) -> None:
            self.file.close()

    environ = EnvironBuilder("/file").get_environ()
    environ["wsgi.file_wrapper"] = Wrapper
    body = make_app(pin=True)(environ, lambda *_: lambda _: None)
    assert isinstance(body, Wrapper)
    assert body.file.name == str(Path(__file__))
    body.close()


def test_live_and_ready_stand_below_the_status(
    volume: AtomicWriter, make_app: Callable[..., Flask]
) -> None:
    """A required restart has a process restarted, and serves until then."""
    app = make_app(pin=True)
    client = app.test_client()
    paths = ("/-/config", "/-/config/live", "/-/config/ready")
    for path in paths:
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["generation"]) == (200, 1)
        assert answer.headers["Cache-Control"] == "no-store"
        assert client.head(path).status_code == 200
        assert client.post(path).status_code == 405
    volume.set("MYAPP_NUMBER", "2")
    app.extensions["k8s_reload"].reload()
    assert [client.get(path).status_code for path in paths] == [503, 503, 200]
    with app.test_request_context():
        assert app.url_for("k8s_reload") == "/-/config"
