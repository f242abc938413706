"""Flask: what FlaskDynaconf and Flask keep copies of follows too."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dynaconf
import pytest
from dynaconf import FlaskDynaconf, LazySettings, Validator
from flask import Flask, Response, current_app, render_template_string, request, session

from dynaconf_k8s_reload import Changes, ConfigError, Reloader, get_reloader
from dynaconf_k8s_reload.flask import K8sReload
from dynaconf_k8s_reload.signals import settings_reloaded
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, eventually, make_settings


@pytest.fixture(autouse=True)
def global_settings() -> Iterator[None]:
    """FlaskDynaconf binds dynaconf's global settings anew; give them back."""
    before = dynaconf.settings
    yield
    dynaconf.settings = before


def make_app(volume: AtomicWriter, name: str = "myapp", **options: Any) -> Flask:
    """Make an app on dynaconf, without the extension, that reloads only when told to."""
    app = Flask(name)
    options = {"envvar_prefix": "MYAPP", "k8s_watch": False, "load_dotenv": False, **options}
    options.setdefault("k8s_prefixed_only", False)
    FlaskDynaconf(app, loaders=LOADERS, k8s_mounts=[str(volume.directory)], **options)
    return app


def make_live(volume: AtomicWriter, **options: Any) -> Flask:
    app = make_app(volume, **options)
    K8sReload(app)
    return app


def reload(app: Flask) -> None:
    reloader: Reloader = app.extensions["k8s_reload"]
    assert reloader.reload().outcome == "applied"


LOOKS: dict[str, Callable[[Any], object]] = {
    "in": lambda config: "KEY" in config,
    "[]": lambda config: _or_absent(lambda: config["KEY"]),
    "get": lambda config: config.get("KEY"),
    "default": lambda config: config.get("KEY", "default"),
    "attribute": lambda config: getattr(config, "KEY", None),
    "call": lambda config: config("KEY"),
    "iteration": lambda config: "KEY" in list(config),
    "keys": lambda config: "KEY" in config.keys(),  # noqa: SIM118 -- because that is another method
    "values": lambda config: "text" in list(config.values()),
    "items": lambda config: ("KEY", "text") in list(config.items()),
    "dict": lambda config: "KEY" in dict(config),
    "unpacked": lambda config: "KEY" in {**config},
    "merged": lambda config: "KEY" in config | {},
    "copy": lambda config: "KEY" in config.copy(),
    "len": len,
    "namespace": lambda config: config.get_namespace("KE"),
    "pop": lambda config: config.pop("KEY", "default"),
}


def _or_absent(look: Callable[[], object]) -> object:
    try:
        return look()
    except KeyError:
        return "absent"


def test_each_way_to_look_follows(volume: AtomicWriter) -> None:
    """A key that comes, goes and comes again is as if it had been so from the start."""

    def looks(app: Flask) -> dict[str, object]:
        return {name: look(app.config) for name, look in LOOKS.items()}

    volume.write({"OTHER": "x"})
    without = looks(make_live(volume))
    volume.write({"OTHER": "x", "KEY": "text"})
    app = make_live(volume)
    present = looks(app)
    assert all(present[name] != without[name] for name in LOOKS)
    for payload, expected in [({}, without), ({"KEY": "text"}, present), ({}, without)]:
        volume.write({"OTHER": "x", **payload})
        reload(app)
        assert looks(app) == expected


FLASKS = {
    "SESSION_COOKIE_NAME": "sid",
    "DEBUG": "true",
    "TESTING": "true",
    "MAX_CONTENT_LENGTH": "10",
    "PERMANENT_SESSION_LIFETIME": "60",
    "SECRET_KEY": "secret",
}


@pytest.mark.parametrize("from_start", [True, False], ids=["from the start", "added later"])
def test_flasks_defaults_come_back(volume: AtomicWriter, from_start: bool) -> None:
    """A deleted key that Flask knows falls back to Flask's default, in app.config and the app."""
    default = dict(Flask("fresh").config)
    volume.write(FLASKS if from_start else {})
    app = make_live(volume)
    for payload in [FLASKS, {}, FLASKS, {}]:
        if volume.write(payload):
            reload(app)
        expected = default if not payload else {"SESSION_COOKIE_NAME": "sid", "DEBUG": True}
        for key in FLASKS.keys() & expected.keys():
            assert app.config[key] == expected[key]
            assert app.config.get(key) == expected[key]
            assert dict(app.config.items())[key] == expected[key]
        assert app.debug is app.testing is bool(payload)
        lifetime = timedelta(seconds=60) if payload else default["PERMANENT_SESSION_LIFETIME"]
        assert app.permanent_session_lifetime == lifetime


def test_the_debug_variable_is_a_key_like_others(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FLASK_DEBUG, from which Flask takes a default of its own, can be deleted from the mount."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    volume.write({"FLASK_DEBUG": "1"})
    app = make_live(volume, envvar_prefix="FLASK")
    assert app.debug
    volume.write({})
    reload(app)
    assert "FLASK_DEBUG" not in os.environ
    assert [app.debug, app.config.get("DEBUG"), dict(app.config)["DEBUG"]] == [False] * 3
    app.config.update(DEBUG=True)
    assert app.config["DEBUG"] is True
    app.extensions["k8s_reload"].stop(restore=True)  # before the variable is taken away


def test_what_code_put_stays(volume: AtomicWriter) -> None:
    """Values put before and after FlaskDynaconf, by any method, stay beneath the mount's."""
    app = Flask("myapp")
    app.config["BEFORE"] = "code"
    volume.write({"UPDATED": "mount", "ASSIGNED": "mount"})
    FlaskDynaconf(
        app,
        loaders=LOADERS,
        k8s_mounts=[str(volume.directory)],
        k8s_watch=False,
        k8s_prefixed_only=False,
    )
    app.config.update(EARLY="code")
    K8sReload(app)
    app.config.update(UPDATED="code", SECRET_KEY="code")
    app.config["ASSIGNED"] = "code"
    app.config.from_mapping(MAPPED="code")
    assert app.config.setdefault("DEFAULTED", "code") == "code"
    assert app.config.setdefault("UPDATED", "other") == "mount"
    code = ["BEFORE", "EARLY", "UPDATED", "SECRET_KEY", "ASSIGNED", "MAPPED", "DEFAULTED"]
    for payload in [{"UPDATED": "new", "ASSIGNED": "new"}, {}, {"MAPPED": "mount"}]:
        volume.write(payload)
        reload(app)
        assert {key: app.config[key] for key in code} == {**dict.fromkeys(code, "code"), **payload}


def test_an_extension_s_default_shows_when_the_mount_s_key_goes(volume: AtomicWriter) -> None:
    """What ``setdefault()`` gives is remembered beneath a key that the mount had at the time."""
    volume.write({"FLASK_KEY": "mount", "FLASK_DEBUG": "true"})
    app = make_live(volume, envvar_prefix="FLASK")
    assert app.config.setdefault("KEY", "default") == "mount"
    assert app.config.setdefault("DEBUG", "never") is True
    assert app.config.setdefault("KEY", "too late") == "mount"
    for payload, value in [({}, "default"), ({"FLASK_KEY": "new"}, "new"), ({}, "default")]:
        volume.write(payload)
        reload(app)
        settings = app.dynaconf  # type: ignore[attr-defined] # reason: dynaconf sets it
        assert [app.config["KEY"], settings.KEY, app.config["DEBUG"]] == [value, value, False]


def test_popping_leaves_what_dynaconf_provides(volume: AtomicWriter) -> None:
    """pop() and del forget what code or Flask put; a key that nobody has raises."""
    volume.write({"KEY": "mount"})
    app = make_live(volume)
    app.config.update(KEY="code", OWN="code")
    assert app.config.pop("OWN") == "code"
    assert app.config.pop("KEY") == app.config["KEY"] == "mount"
    del app.config["KEY"]
    volume.write({})
    reload(app)
    with pytest.raises(KeyError, match="KEY"):
        app.config.pop("KEY")
    with pytest.raises(KeyError, match="OWN"):
        del app.config["OWN"]
    with pytest.raises(AttributeError, match="KEY"):
        _ = app.config.KEY  # type: ignore[attr-defined] # reason: dynaconf's own


def test_an_iteration_sees_one_generation(volume: AtomicWriter) -> None:
    """What has begun to iterate goes on with its generation, deleted keys included."""
    volume.write({"KEY_A": "1", "KEY_B": "1", "KEY_C": "1"})
    app = make_live(volume)
    items = iter(app.config.items())
    seen = [next(items)]
    volume.write({"KEY_B": "2"})
    reload(app)
    both = dict([*seen, *items])
    assert [both[f"KEY_{letter}"] for letter in "ABC"] == [1, 1, 1]
    assert app.config.get_namespace("KEY_") == {"b": 2}


def test_readers_miss_nothing_while_it_reloads(volume: AtomicWriter) -> None:
    """Items agree with each other; a key with a default is always one or the other."""
    names = [f"KEY{number}" for number in range(20)]
    volume.write(dict.fromkeys(names, "0"))
    app = make_live(volume)
    problems: list[object] = []
    rounds = [0]
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.002):  # a pause in which the reload gets on
            rounds[0] += 1
            try:
                values = set(app.config.get_namespace("KEY").values())
                cookie = app.config["SESSION_COOKIE_NAME"]
                app.config.copy()
            except Exception as error:
                problems.append(error)
                continue
            if len(values) > 1 or cookie not in ("session", "sid"):
                problems.append((values, cookie))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(1, 9):
            other = {"SESSION_COOKIE_NAME": "sid", "X": str(number)}
            volume.write(other if number % 2 else dict.fromkeys(names, str(number)))
            reload(app)
        eventually(lambda: rounds[0] > 10)
    finally:
        done.set()
        reader.join()
    assert problems == []


def test_the_repr_shows_no_value(volume: AtomicWriter) -> None:
    """Neither what the mount has nor what code put."""
    volume.write({"KEY": "verysecret"})
    app = make_live(volume)
    app.config.update(OWN="verysecret")
    assert repr(app.config) == f"<LiveConfig of {len(list(app.config))} keys>"


def test_requests_take_the_new_value(volume: AtomicWriter) -> None:
    """Session cookies, keys and limits are those of the mount at the next request."""
    volume.write({"SECRET_KEY": "one"})
    app = make_live(volume)

    @app.route("/", methods=["GET", "POST"])
    def view() -> str:
        session["seen"] = session.get("seen", 0) + 1
        return f"{session['seen']} {len(request.get_data())}"

    client = app.test_client()
    answers = [client.get("/") for _ in range(2)]
    assert [answer.text for answer in answers] == ["1 0", "2 0"]
    assert answers[0].headers["Set-Cookie"].startswith("session=")

    volume.write({"SECRET_KEY": "two", "SESSION_COOKIE_PATH": "/"})
    reload(app)
    assert client.get("/").text == "1 0"  # the old cookie's signature is no longer good

    volume.set("SESSION_COOKIE_NAME", "sid")
    volume.set("SESSION_COOKIE_SECURE", "true")
    reload(app)
    header = client.get("/").headers["Set-Cookie"]
    assert header.startswith("sid=")
    assert "Secure" in header

    assert client.post("/", data=b"12345").status_code == 200
    volume.set("MAX_CONTENT_LENGTH", "4")
    reload(app)
    assert client.post("/", data=b"12345").status_code == 413

    volume.write({"SECRET_KEY": "two"})
    reload(app)
    answer = client.post("/", data=b"12345")
    assert answer.status_code == 200
    assert answer.headers["Set-Cookie"].startswith("session=")


def test_templates_follow(volume: AtomicWriter) -> None:
    """TEMPLATES_AUTO_RELOAD, and DEBUG where it is unset, reach the template environment."""
    volume.write({"GREETING": "hello"})
    app = make_live(volume)
    with app.app_context():
        assert render_template_string("{{ config.GREETING }}") == "hello"
    assert app.jinja_env.auto_reload is False
    for payload, expected in [
        ({"DEBUG": "true"}, True),
        ({"DEBUG": "true", "TEMPLATES_AUTO_RELOAD": "false"}, False),
        ({"TEMPLATES_AUTO_RELOAD": "true"}, True),
        ({}, False),
    ]:
        volume.write({"GREETING": "bye", **payload})
        reload(app)
        eventually(lambda e=expected: app.jinja_env.auto_reload is e)  # type: ignore[misc] # reason: mypy knows no lambda with a default
    with app.app_context():
        assert render_template_string("{{ config['GREETING'] }}") == "bye"


def test_the_logger_follows_debug(volume: AtomicWriter) -> None:
    """Flask's logger has the level DEBUG as long as the setting is on."""
    volume.write({"DEBUG": "true"})
    app = make_live(volume, name="logs_and_levels")
    assert app.logger.level == logging.DEBUG
    for payload, level in [({}, logging.NOTSET), ({"DEBUG": "true"}, logging.DEBUG)]:
        volume.write(payload)
        reload(app)
        eventually(lambda e=level: app.logger.level == e)  # type: ignore[misc] # reason: as above


def test_what_code_chose_stays(volume: AtomicWriter) -> None:
    """An auto_reload and a level that code chose are left alone, and made late they fit."""
    volume.write({})
    app = make_live(volume, name="chosen_levels")
    told: list[Changes] = []
    app.extensions["k8s_reload"].on_change()(told.append)
    app.jinja_env.auto_reload = True
    app.logger.setLevel(logging.ERROR)
    volume.write({"DEBUG": "true"})
    reload(app)
    eventually(lambda: told)
    assert app.jinja_env.auto_reload is True
    volume.write({})
    reload(app)
    eventually(lambda: len(told) == 2)
    assert app.logger.level == logging.ERROR

    late = make_live(volume, name="late_levels")
    volume.write({"DEBUG": "true"})
    reload(late)
    assert late.jinja_env.auto_reload is True
    assert late.logger.level == logging.DEBUG


def test_the_signal_brings_the_changes(volume: AtomicWriter) -> None:
    """Each app is the sender of its own changes, and reads the new values by then."""
    volume.write({"KEY": "0"})
    extension = K8sReload()
    apps = [make_app(volume, name=f"app{number}") for number in range(2)]
    for app in apps:
        extension.init_app(app)
    told: list[tuple[Flask, Changes, object]] = []

    def tell(sender: Flask, changes: Changes) -> None:
        told.append((sender, changes, sender.config["KEY"]))

    with settings_reloaded.connected_to(tell, sender=apps[1]):
        for app in apps:
            volume.set("KEY", app.name)
            reload(app)
        eventually(lambda: told)
    [(sender, changes, value)] = told
    assert sender is apps[1]
    assert (changes["KEY"].old, changes["KEY"].new, value) == (0, "app1", "app1")
    assert apps[0].config["KEY"] == "app0"


def test_several_apps_may_share_settings(volume: AtomicWriter) -> None:
    """Apps that a factory makes on one settings object all follow, and are told."""
    volume.write({"KEY": "old", "SESSION_COOKIE_NAME": "sid"})
    settings = make_settings(volume.directory, k8s_watch=False)

    def create_app(name: str) -> Flask:
        app = Flask(name)
        FlaskDynaconf(app, dynaconf_instance=settings)
        K8sReload(app, status_url="/-/config")
        return app

    apps = [create_app("one"), create_app("two")]
    told: list[str] = []

    def tell(sender: Flask, changes: Changes) -> None:
        told.append(sender.name)

    with settings_reloaded.connected_to(tell):
        volume.write({})
        reload(apps[0])
        eventually(lambda: sorted(told) == ["one", "two"])
    for app in apps:
        assert "KEY" not in app.config
        assert app.config["SESSION_COOKIE_NAME"] == "session"
        assert app.test_client().get("/-/config").get_json()["generation"] == 2


def short_lived(volume: AtomicWriter) -> tuple[Any, Any]:
    """Give settings on a mount, and an app that they are to outlive."""
    settings, app = make_settings(volume.directory, k8s_watch=False), Flask("short")
    FlaskDynaconf(app, dynaconf_instance=settings)
    K8sReload(app)
    return settings, app


def test_an_app_can_be_collected(volume: AtomicWriter) -> None:
    """Settings that outlive an app do not keep it alive, and no longer tell it anything."""
    volume.write({"KEY": "old"})
    _settings, app = short_lived(volume)
    reference, reloader = weakref.ref(app), app.extensions["k8s_reload"]
    [subscriber] = reloader._notifier._board.subscribers
    follow = subscriber.reference()
    del app
    eventually(lambda: reference() is None, collecting=True)
    follow(Changes())  # called meanwhile, it does nothing
    del follow
    eventually(lambda: subscriber.reference() is None, collecting=True)


def test_an_app_is_collected_while_another_thread_publishes(volume: AtomicWriter) -> None:
    """The garbage collector may come in any thread, whatever that holds: it waits for no lock."""
    volume.write({"KEY": "old"})
    _settings, app = short_lived(volume)
    reference, reloader = weakref.ref(app), app.extensions["k8s_reload"]
    doomed = [app]
    del app

    def collect() -> None:
        doomed.clear()
        gc.collect()

    collecting = threading.Thread(target=collect)
    with reloader.generations.publishing, reloader._notifier._board.lock:
        collecting.start()
        collecting.join(10)
        assert not collecting.is_alive()
    eventually(lambda: reference() is None, collecting=True)


def test_an_app_without_dynaconf_is_refused() -> None:
    """The error names FlaskDynaconf."""
    with pytest.raises(ConfigError, match="call FlaskDynaconf"):
        K8sReload(Flask("plain"))


def test_an_app_without_the_loader_is_refused() -> None:
    """The error names the loader; the app is left as it was."""
    app = Flask("plain")
    FlaskDynaconf(app, load_dotenv=False)
    before = type(app.config)
    with pytest.raises(ConfigError, match="loaders="):
        K8sReload(app)
    assert type(app.config) is before
    assert "k8s_reload" not in app.extensions


def test_the_reloader_is_found_by_what_flask_dynaconf_made(volume: AtomicWriter) -> None:
    """The error for `app.config` names the object of Flask's that `get_reloader` takes."""
    app = Flask("myapp")
    made = FlaskDynaconf(
        app, loaders=LOADERS, k8s_mounts=[str(volume.directory)], load_dotenv=False
    )
    K8sReload(app)
    with pytest.raises(ConfigError, match=r"or FlaskDynaconf\(\.\.\.\)\.settings"):
        get_reloader(app.config)
    assert get_reloader(made.settings) is app.extensions["k8s_reload"]


def test_an_app_is_set_up_once(volume: AtomicWriter) -> None:
    """A second call is an error."""
    volume.write({})
    app = make_live(volume)
    with pytest.raises(ConfigError, match="once"):
        K8sReload(app)


def status(app: Flask) -> Response:
    answer: Any = app.test_client().get("/-/config")
    assert answer.headers["Cache-Control"] == "no-store"
    response: Response = answer
    return response


def test_the_status_is_served(volume: AtomicWriter) -> None:
    """It is the reloader's, as JSON; without a URL there is none."""
    volume.write({"KEY": "verysecret"})
    app = make_app(volume)
    K8sReload(app, status_url="/-/config")
    answer = status(app)
    assert answer.status_code == 200
    assert answer.get_json() == app.extensions["k8s_reload"].status().as_dict()
    assert "verysecret" not in answer.get_data(as_text=True)
    assert make_live(volume).test_client().get("/-/config").status_code == 404


def test_rejected_content_does_not_turn_it_red(volume: AtomicWriter) -> None:
    """It says so, with 200, and the old value is served; also where a restart would be reported."""
    volume.write({"MYAPP_POOL": "1"})
    app = make_app(
        volume,
        validators=[Validator("POOL", gte=1)],
        k8s_restart_keys=["POOL"],
        k8s_restart_503=True,
    )
    K8sReload(app, status_url="/-/config")
    volume.write({"MYAPP_POOL": "0"})
    assert app.extensions["k8s_reload"].reload().outcome == "rejected"
    answer = status(app)
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["rejected"], body["restart_required"]) == (1, [])
    assert body["last_error"]
    assert app.config["POOL"] == 1


@pytest.mark.parametrize(("opted_in", "code"), [(True, 503), (False, 200)])
def test_a_required_restart_turns_it_red_on_request(
    volume: AtomicWriter, opted_in: bool, code: int
) -> None:
    """The key is named in any case; the code is 503 only where the application opted in."""
    volume.write({"MYAPP_POOL": "1"})
    app = make_app(volume, k8s_restart_keys=["POOL"], k8s_restart_503=opted_in)
    K8sReload(app, status_url="/-/config")
    volume.write({"MYAPP_POOL": "2"})
    reload(app)
    answer = status(app)
    assert (answer.status_code, answer.get_json()["restart_required"]) == (code, ["POOL"])
    result = app.test_cli_runner().invoke(args=["k8s-reload", "status"])
    assert (result.exit_code, json.loads(result.output)["restart_required"]) == (
        int(opted_in),
        ["POOL"],
    )


def test_what_flask_reads_once_needs_a_restart(volume: AtomicWriter) -> None:
    """PROVIDE_AUTOMATIC_OPTIONS counts when a route is added; the status names it."""
    volume.write({})
    app = make_live(volume)
    volume.write({"PROVIDE_AUTOMATIC_OPTIONS": "false"})
    reload(app)
    reloader: Reloader = app.extensions["k8s_reload"]
    assert reloader.status().restart_required == ("PROVIDE_AUTOMATIC_OPTIONS",)


def test_the_command_line_shows_the_difference(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and kinds: what the mount adds, changes and does not have; no value."""
    monkeypatch.setenv("MYAPP_SAME", "verysecret")
    monkeypatch.setenv("MYAPP_OLD", "verysecret")
    monkeypatch.setenv("MYAPP_GONE", "verysecret")
    volume.write(
        {"MYAPP_SAME": "verysecret", "MYAPP_OLD": "verynew", "KEY": "verynew", "not-a-name": "x"}
    )
    app = make_live(volume)
    result = app.test_cli_runner().invoke(args=["k8s-reload", "diff"])
    assert result.exit_code == 0, result.output
    assert [line.rsplit(maxsplit=1) for line in result.output.splitlines()] == [
        ["added", "KEY"],
        ["environment only", "MYAPP_GONE"],
        ["modified", "MYAPP_OLD"],
    ]
    assert os.environ["MYAPP_OLD"] == "verysecret"


def test_the_help_of_diff(volume: AtomicWriter) -> None:
    """The kinds stand one below the other, as they were written."""
    volume.write({})
    result = make_live(volume).test_cli_runner().invoke(args=["k8s-reload", "diff", "--help"])
    assert "\n  modified          both have it, with different values\n" in result.output


@pytest.mark.parametrize("argv", [["flask", "k8s-reload", "status"], ["flask", "run"]])
def test_a_command_ends_with_a_line_where_content_is_refused(
    volume: AtomicWriter, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask loads the app before its command; the error of that is a line, and no traceback."""
    monkeypatch.setattr("sys.argv", argv)
    volume.write({"MYAPP_POOL": "@int verysecret"})
    expected = SystemExit if "k8s-reload" in argv else Exception
    with pytest.raises(expected, match=r"MYAPP_POOL of .*: @int cannot parse it") as raised:
        make_live(volume)
    assert "verysecret" not in str(raised.value)


def test_a_command_ends_with_a_line_where_the_loader_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it does where the app's configuration is not one that follows mounts."""
    monkeypatch.setattr("sys.argv", ["flask", "k8s-reload", "status"])
    with pytest.raises(SystemExit, match=r"this app's configuration is not dynaconf's"):
        K8sReload(Flask(__name__))


def test_no_difference_is_said(volume: AtomicWriter) -> None:
    """Where the process was started with what the mounts hold, the command says so."""
    volume.write({})
    app = make_live(volume)
    result = app.test_cli_runner().invoke(args=["k8s-reload", "diff"])
    assert result.output == "The mounts hold what the environment has.\n"


@pytest.mark.parametrize("prefix", [False, None])
def test_without_a_prefix_the_environment_is_not_listed(volume: AtomicWriter, prefix: Any) -> None:
    """Which variables are the application's own cannot be told then."""
    volume.write({"KEY": "new"})
    app = make_live(volume, envvar_prefix=prefix)
    result = app.test_cli_runner().invoke(args=["k8s-reload", "diff"])
    assert result.output.split() == ["added", "KEY"]


def test_a_view_finds_the_reloader(volume: AtomicWriter) -> None:
    """app.extensions holds it, for a snapshot of one generation."""
    volume.write({"KEY": "text"})
    app = make_live(volume)
    with app.app_context():
        assert current_app.extensions["k8s_reload"].snapshot().KEY == "text"


def test_the_watch_is_enough(volume: AtomicWriter, tmp_path: Path) -> None:
    """With nothing but FlaskDynaconf and K8sReload, an edit arrives in app.config."""
    volume.write({"KEY": "old"})
    app = make_live(volume, k8s_watch=True)
    volume.write({"KEY": "new"})
    eventually(lambda: app.config["KEY"] == "new")
    assert isinstance(app.dynaconf, LazySettings)  # type: ignore[attr-defined] # reason: FlaskDynaconf adds it
