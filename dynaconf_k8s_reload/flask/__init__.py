"""`K8sReload`: a Flask application on ``FlaskDynaconf`` that follows its mounts throughout.

The settings follow without it; it updates what ``FlaskDynaconf`` and Flask keep copies of.
"""

from __future__ import annotations

import json
import logging
import weakref
from http import HTTPStatus

import click
from flask import Flask, Response, current_app, jsonify
from flask.cli import AppGroup

from .. import Changes, ConfigError, Reloader, _dynaconf, get_reloader
from .._dynaconf.flask import make_live, settings_of
from .._reload.commands import speaks_of, told_in_a_line
from .._reload.pending import told_pending
from .._reload.probe import Question, probe
from ..signals import settings_reloaded
from .pinning import PinMiddleware

__all__ = ["K8sReload"]

NAME = "k8s_reload"
READ_ONCE = ("PROVIDE_AUTOMATIC_OPTIONS",)  # when a route is added


class K8sReload:
    """A Flask extension; one object may serve several apps.

    Args:
        app: the app, after ``FlaskDynaconf(app, ...)``; without it, call `init_app` later.
        status_url: where the app answers with its status, such as ``"/-/config"``; below it,
            ``/live`` and ``/ready`` answer a liveness and a readiness probe. By default, nowhere.
        pin: pin each request to the generation it begins in, a streamed answer to its end.

    The app's `Reloader` is ``app.extensions["k8s_reload"]``.

    Raises:
        ConfigError: as `init_app`.
    """

    def __init__(
        self, app: Flask | None = None, *, status_url: str | None = None, pin: bool = False
    ) -> None:
        self.status_url = status_url
        self.pin = pin
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Make an app follow; call it after ``FlaskDynaconf``.

        Raises:
            ConfigError: the app's configuration is not dynaconf's, the loader is not in use, or the
                app has been set up before.
        """
        if NAME in app.extensions:
            raise ConfigError("this app has its K8sReload already; call init_app once for each app")
        try:
            reloader = _reloader_of(app)
        except ConfigError as error:
            raise told_in_a_line(error) from None
        make_live(app)
        app.extensions[NAME] = reloader
        reloader.generations.restart_keys = tuple({*reloader.generations.restart_keys, *READ_ONCE})
        app.cli.add_command(_commands)
        if self.status_url is not None:
            _add_probes(app, self.status_url)
        if self.pin:
            app.wsgi_app = PinMiddleware(app.wsgi_app, reloader.pin())  # type: ignore[method-assign] # reason: Flask's own way
        # It goes with its app and is then told no more; a finalizer would have to wait for locks.
        app.extensions[f"{NAME}_follower"] = follower = _Follower(app)
        reloader.on_change()(follower.follow)


class _Follower:
    """Passes changes on to an app without keeping it alive."""

    def __init__(self, app: Flask) -> None:
        self._app = weakref.ref(app)
        self._debug = bool(app.debug)
        self._auto_reload = _auto_reload(app)

    def follow(self, changes: Changes) -> None:
        """Have what Flask sets up only once follow, and send the signal."""
        app = self._app()
        if app is not None:
            self._follow_templates(app)
            self._follow_logger(app)
            settings_reloaded.send(app, changes=changes)

    def _follow_templates(self, app: Flask) -> None:
        """Flask sets this once, in the template environment that it makes at first use."""
        before, self._auto_reload = self._auto_reload, _auto_reload(app)
        if "jinja_env" in vars(app) and app.jinja_env.auto_reload == before:
            app.jinja_env.auto_reload = self._auto_reload

    def _follow_logger(self, app: Flask) -> None:
        """Flask sets the level once, at the first use of ``app.logger``."""
        before, self._debug = self._debug, bool(app.debug)
        if "logger" in vars(app) and self._debug != before:
            was, becomes = (
                (logging.NOTSET, logging.DEBUG) if self._debug else (logging.DEBUG, logging.NOTSET)
            )
            if app.logger.level == was:
                app.logger.setLevel(becomes)


def _reloader_of(app: Flask) -> Reloader:
    settings = settings_of(app)
    if settings is None:
        raise ConfigError(
            "this app's configuration is not dynaconf's; call "
            'FlaskDynaconf(app, loaders=["dynaconf_k8s_reload.loader"], ...) before K8sReload'
        )
    if _dynaconf.attachment_of(_dynaconf.unwrap(settings)) is None:
        raise ConfigError(
            "this app's settings are not loaded by dynaconf-k8s-reload; "
            f"{_dynaconf.how_to_load('FlaskDynaconf(app, ')}"
        )
    return get_reloader(settings)


def _auto_reload(app: Flask) -> bool:
    """Tell whether a template environment made now would look for changed templates."""
    asked = app.config["TEMPLATES_AUTO_RELOAD"]
    return bool(app.debug if asked is None else asked)


def _add_probes(app: Flask, url: str) -> None:
    app.add_url_rule(url, NAME, _answer)
    for question in ("live", "ready"):
        rule = f"{url.rstrip('/')}/{question}"
        app.add_url_rule(rule, f"{NAME}_{question}", _answer, defaults={"question": question})


def _answer(question: Question = "whole") -> tuple[Response, int]:
    code, data = probe(_current(), question)
    answer = jsonify(data)
    answer.cache_control.no_store = True
    return answer, code


def _current() -> Reloader:
    reloader: Reloader = current_app.extensions[NAME]
    return reloader


_commands = AppGroup("k8s-reload", help="Show how the mounted ConfigMaps are followed.")


@_commands.command("status", short_help="Print the status of a fresh process, as JSON.")
def _status() -> None:
    """Print the status that an application starting now has, as JSON.

    Exit code: 0 if it is healthy, 1 if not or if it would not start.
    """
    code, data = probe(_current())
    click.echo(json.dumps({"process": speaks_of(), **data}, indent=2))
    if code != HTTPStatus.OK:
        raise SystemExit(1)


@_commands.command("diff", short_help="List how the mounts differ from the environment.")
def _diff() -> None:
    """List the variables that this process was started with and that the mounts have otherwise.

    \b
    added             a mount has it, the process was started without
    modified          both have it, with different values
    environment only  it has the application's prefix, and no mount has it:
                      deleted there since, or set elsewhere

    Exit code: 0, whatever differs; 1 if the application would not start.
    """  # noqa: D301 -- because click wants the character itself
    _current().stop(restore=True)  # so that the variables are those of the start again
    click.echo(told_pending(settings_of(current_app)))
