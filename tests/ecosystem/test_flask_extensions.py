"""The ten most used extensions of Flask: which follow, and what makes the others follow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dynaconf
import pytest
from dynaconf import FlaskDynaconf
from flask import Flask, current_app

from docs_site import DOCS
from dynaconf_k8s_reload.flask import K8sReload
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS

NAMES = (
    *("babel", "caching", "cors", "jwt_extended", "limiter", "login", "mail", "session"),
    *("sqlalchemy", "wtf"),
)
for name in NAMES:
    pytest.importorskip(f"flask_{name}", reason=f"Flask-{name} is not installed")

Look = Callable[[], object]


class Extension(NamedTuple):
    """An extension on an app.

    Attributes:
        look: gives what it makes of the key.
        renew: what an ``on_change`` subscriber calls, so that it takes another value.
        asked: gives what it makes of the key where it is given a function that asks for it.
    """

    look: Look
    renew: Callable[[], object] | None = None
    asked: Look | None = None


def babel(app: Flask) -> Extension:
    from flask_babel import Babel, get_locale

    Babel(app)
    other = Flask("other")
    other.config = app.config
    Babel(other, locale_selector=lambda: current_app.config["BABEL_DEFAULT_LOCALE"])

    def locale(of: Flask) -> str:
        with of.test_request_context():
            return str(get_locale())

    return Extension(lambda: locale(app), asked=lambda: locale(other))


def caching(app: Flask) -> Extension:
    from flask_caching import Cache

    cache = Cache(app)
    return Extension(lambda: cache.cache.default_timeout, lambda: cache.init_app(app))


def cors(app: Flask) -> Extension:
    from flask_cors import CORS

    CORS(app)
    origin = {"Origin": "https://new.example"}
    return Extension(
        lambda: (
            app.test_client().get("/", headers=origin).headers.get("Access-Control-Allow-Origin")
        )
    )


def jwt_extended(app: Flask) -> Extension:
    from flask_jwt_extended import JWTManager, create_access_token, decode_token

    JWTManager(app)

    def seconds() -> int:
        with app.app_context():
            token = decode_token(create_access_token("somebody"))
            return int(token["exp"] - token["iat"])

    return Extension(seconds)


def limiter(app: Flask) -> Extension:
    from flask_limiter import Limiter

    other = Flask("other")
    other.config = app.config
    for each, limits in ((app, None), (other, [lambda: current_app.config["RATELIMIT_DEFAULT"]])):
        Limiter(lambda: "me", app=each, default_limits=limits, storage_uri="memory://")
        each.add_url_rule("/limited", "limited", lambda: "")

    def allowed(of: Flask) -> int:
        client = of.test_client()
        for limiter in of.extensions["limiter"]:
            limiter.reset()
        return [client.get("/limited").status_code for _ in range(8)].count(200)

    return Extension(lambda: allowed(app), asked=lambda: allowed(other))


def login(app: Flask) -> Extension:
    from flask_login import LoginManager, login_required

    manager = LoginManager(app)
    manager.user_loader(lambda _: None)
    app.add_url_rule("/private", "private", login_required(lambda: "private"))
    return Extension(lambda: app.test_client().get("/private").status_code)


def mail(app: Flask) -> Extension:
    from flask_mail import Mail

    mails = Mail(app)

    def server() -> object:
        with app.app_context():
            return app.extensions["mail"].server

    return Extension(server, lambda: mails.init_app(app))


def session(app: Flask) -> Extension:
    from flask_session import Session

    sessions = Session(app)
    interface: Any = lambda: app.session_interface  # noqa: E731 -- because it is asked twice
    return Extension(lambda: interface().key_prefix, lambda: sessions.init_app(app))


def sqlalchemy(app: Flask) -> Extension:
    from flask_sqlalchemy import SQLAlchemy

    database = SQLAlchemy(app)

    def url() -> str:
        with app.app_context():
            return str(database.engine.url)

    return Extension(url)


def wtf(app: Flask) -> Extension:
    from flask_wtf.csrf import CSRFProtect

    CSRFProtect(app)
    return Extension(lambda: app.test_client().post("/").status_code)


# Of each: one of its keys, two values, and whether the change of it is followed.
EXTENSIONS: list[tuple[str, Callable[[Flask], Extension], str, str, str]] = [
    ("SQLAlchemy", sqlalchemy, "SQLALCHEMY_DATABASE_URI", "sqlite://", "sqlite:///other.db"),
    ("Caching", caching, "CACHE_DEFAULT_TIMEOUT", "1", "2"),
    ("Limiter", limiter, "RATELIMIT_DEFAULT", "3/minute", "5/minute"),
    ("Mail", mail, "MAIL_SERVER", "old.example", "new.example"),
    ("Login", login, "LOGIN_DISABLED", "false", "true"),
    ("Session", session, "SESSION_KEY_PREFIX", "old", "new"),
    ("CORS", cors, "CORS_ORIGINS", "https://old.example", "https://new.example"),
    ("Babel", babel, "BABEL_DEFAULT_LOCALE", "de", "it"),
    ("JWT-Extended", jwt_extended, "JWT_ACCESS_TOKEN_EXPIRES", "60", "120"),
    ("WTF", wtf, "WTF_CSRF_ENABLED", "true", "false"),
]


@pytest.fixture(autouse=True)
def global_settings() -> Iterator[None]:
    """FlaskDynaconf binds dynaconf's global settings anew; give them back."""
    before = dynaconf.settings
    yield
    dynaconf.settings = before


@pytest.mark.parametrize(
    ("title", "make", "key", "old", "new"), EXTENSIONS, ids=[each[0] for each in EXTENSIONS]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_table_of_extensions_is_true(
    volume: AtomicWriter,
    tmp_path: Path,
    title: str,
    make: Callable[[Flask], Extension],
    key: str,
    old: str,
    new: str,
) -> None:
    """A change follows by itself, or by what the table says, or is said to take a restart."""
    common = {
        "MYAPP_CACHE_TYPE": "SimpleCache",
        "MYAPP_SESSION_TYPE": "filesystem",
        "MYAPP_SESSION_FILE_DIR": str(tmp_path / "sessions"),
        "MYAPP_SECRET_KEY": "x" * 40,
        "MYAPP_JWT_SECRET_KEY": "y" * 40,
    }
    volume.write({**common, f"MYAPP_{key}": old})
    app = Flask("extended", instance_path=str(tmp_path))
    FlaskDynaconf(
        app,
        envvar_prefix="MYAPP",
        loaders=LOADERS,
        k8s_mounts=[str(volume.directory)],
        k8s_watch=False,
        load_dotenv=False,
    )
    K8sReload(app)
    app.add_url_rule("/", "index", lambda: "index", methods=["GET", "POST"])
    extension = make(app)
    before, asked_before = extension.look(), extension.asked and extension.asked()
    volume.write({**common, f"MYAPP_{key}": new})
    assert app.extensions["k8s_reload"].reload().outcome == "applied"
    page = (DOCS / "flask.md").read_text()
    (said,) = re.findall(rf"^\| Flask-{title} \| `{key}` \| ([^|]*) \|", page, re.MULTILINE)
    if extension.look() != before:
        assert said == "follows"
    elif extension.asked is not None:
        assert extension.asked() != asked_before
        assert said.startswith("give a function")
    elif extension.renew is not None:
        extension.renew()
        assert extension.look() != before
        assert said == "call `init_app` in `on_change`"
    else:
        assert said == "a restart"
