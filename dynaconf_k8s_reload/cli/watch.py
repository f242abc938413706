"""``watch``: each change of a mount as it comes."""

from __future__ import annotations

import base64
import json
import weakref
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import click

from .._model.options import Options
from .._watch import WATCHER, Watch
from .apply import STYLES
from .ending import until_ended
from .following import Follower, Seen
from .looking import mounts_of
from .screen import console, counted, example, printable, quoted, say
from .show import directories_argument, secret_option, values_option

__all__ = ["watch"]

SIGNS = {"added": "+", "modified": "~", "removed": "-"}


@click.command(
    epilog=example(
        "dynaconf-k8s-reload watch --values /config",
        "dynaconf-k8s-reload watch --json /config | jq .lag",
    )
)
@directories_argument
@secret_option
@values_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each change.")
def watch(
    directories: Sequence[str], secrets: Sequence[str], *, values: bool, as_json: bool
) -> None:
    """Print each change of DIR as it comes, until Ctrl-C.

    Each tells the keys, and the delay from the writer's commit to its arrival
    here. A directory that is absent is waited for.
    """
    mounts = mounts_of(directories, secrets)
    if not mounts:
        raise click.UsageError("Give at least one directory, such as /config.")
    follower = Follower(mounts)
    follower.changed()
    options = Options()
    watching = Watch(
        [mount.path for mount in mounts],
        weakref.ref(follower),
        options.k8s_resync,
        options.k8s_debounce,
    )
    WATCHER.add(watching)
    until_ended(lambda: _follow(follower, values=values, as_json=as_json))
    WATCHER.remove(watching, wait=2.0)


def _follow(follower: Follower, *, values: bool, as_json: bool) -> None:
    err = console(stderr=True)
    for each in follower.followed:
        held = counted(len(each.files), "key")
        say(err, f"Watching {printable(each.mount.path)}, {held}; Ctrl-C ends it.")
    while True:
        seen = follower.news.get()
        shown = values and not seen.mount.secret
        if as_json:
            click.echo(json.dumps(_as_dict(seen, values=shown)))
        else:
            _print(seen, values=shown)


def _print(seen: Seen, *, values: bool) -> None:
    out = console()
    line = f"{datetime.fromtimestamp(seen.at):%H:%M:%S}  {printable(seen.mount.path)}"  # noqa: DTZ006 -- because a person reads the local time
    if seen.problem is not None:
        say(out, f"{line}: {seen.problem}", "red")
        return
    delay = "" if seen.lag is None else f", {seen.lag:.3f} s after its commit"
    say(out, f"{line}: {counted(len(seen.changes), 'change')}{delay}")
    for change in seen.changes:
        text = f"  {SIGNS[change.kind]} {printable(change.key)}"
        if values:
            shown = [quoted(value) for value in (change.old, change.new) if value is not None]
            text += f"  {' -> '.join(shown)}"
        say(out, text, STYLES[change.kind])


def _as_dict(seen: Seen, *, values: bool) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(seen.at, timezone.utc).isoformat(),
        "mount": seen.mount.path,
        "generation": seen.generation,
        "lag": seen.lag,
        "problem": seen.problem,
        "changes": [
            {"key": change.key, "kind": change.kind}
            | ({"old": _json(change.old), "new": _json(change.new)} if values else {})
            for change in seen.changes
        ],
    }


def _json(content: bytes | None) -> Any:
    """Give text as it is, and what is no text as ``{"base64": ...}``."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
