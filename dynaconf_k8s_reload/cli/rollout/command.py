"""The command ``rollout``."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..apply import manifests
from ..apply.volume import ManifestError
from ..check.command import rehearsed, show
from ..findings import Finding
from ..screen import CannotRunError, console, example, json_option, print_json, put, say
from .following import Following, Workload
from .table import shown_live, summary, table
from .uses import KINDS, Resource
from .verdict import State, Verdict

OF_A_ROLLOUT = ("words", "filename", "settings", "timeout", "restart")  # not of its actions
ACTIONS = {
    "status": """Say which processes serve what the cluster holds.

It asks each process once; it changes nothing, and waits for nothing.

Exit code: 0 if all serve it, 1 if one does not, 2 if it could not run.""",
    "nudge": """Have the kubelets synchronise the pods that mount it at once.

It annotates these pods, and does not wait for what comes of it.

Exit code: 0 if they are annotated, 2 if it could not run.""",
}
_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(_: click.Context, __: click.Parameter, duration: str) -> float:
    """Give the seconds of a duration as Kubernetes writes it: ``90``, ``90s``, ``2m``, ``1h``."""
    found = re.fullmatch(r"(\d+)([smh]?)", duration)
    if not found:
        raise click.BadParameter(f"{duration!r} is not a duration; write 90s or 2m")
    return float(found[1]) * _UNITS[found[2] or "s"]


class _Rollout(click.Command):
    """``rollout``; ``rollout status --help`` is about ``status`` alone."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        action = args[0] if args and args[0] in ACTIONS else None
        if action is None or not {"-h", "--help"}.intersection(args):
            return super().make_context(info_name, args, parent, **extra)
        shared = [param for param in self.params if param.name not in OF_A_ROLLOUT]
        resource = click.Argument(["resource"], metavar="KIND/NAME")
        alone = click.Command(
            action,
            params=[resource, *shared],
            help=ACTIONS[action],
            epilog=example(f"dynaconf-k8s-reload rollout {action} configmap/shop"),
        )
        return alone.make_context(f"{info_name} {action}", ["--help"], parent, **extra)


@click.command(
    cls=_Rollout,
    epilog=example(
        "dynaconf-k8s-reload rollout configmap/shop -f configmap.yaml",
        "dynaconf-k8s-reload rollout status configmap/shop",
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="[status|nudge] KIND/NAME")
@click.option(
    *("-n", "--namespace"), metavar="NAME", show_default="the context's", help="The namespace."
)
@click.option("--context", metavar="NAME", show_default="current", help="The kubeconfig's context.")
@click.option(
    *("-f", "--filename"),
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Apply this manifest first.",
)
@click.option(
    "--settings",
    metavar="MODULE:NAME",
    help="First `check` that these settings take it.",
)
@click.option(
    *("-l", "--selector"),
    metavar="LABELS",
    default="",
    help="Only pods with these labels, such as app=shop.",
)
@click.option(
    "--timeout",
    metavar="DURATION",
    callback=seconds,
    default="2m",
    show_default=True,
    help="How long to wait, such as 90s.",
)
@click.option("--restart", is_flag=True, help="Restart the workloads that only a restart updates.")
@json_option
@click.pass_context
def rollout(  # noqa: PLR0913 -- because click gives each option by its name
    ctx: click.Context,
    words: Sequence[str],
    *,
    namespace: str | None,
    context: str | None,
    filename: Path | None,
    settings: str | None,
    selector: str,
    timeout: float,
    restart: bool,
    as_json: bool,
) -> None:
    """Bring a ConfigMap or Secret to every process, and see it arrive.

    It annotates the pods that mount it, so that their kubelets synchronise at
    once, asks each process what it serves, and waits until all serve what the
    cluster holds. `status` only looks, `nudge` only annotates.

    Exit code: 0 if all serve it, 1 if one refused it or does not follow, 2 if
    the roll-out could not run. Ctrl-C leaves everything as it is.
    """
    action, resource = _meant(words)
    if action and (filename or restart):
        raise click.UsageError(f"{action} changes nothing; leave out -f and --restart")
    if settings is not None and filename is None:
        raise click.UsageError("--settings checks a manifest; name one with -f")
    manifest = None if filename is None else _manifest(filename, resource)
    if settings is not None and not _is_taken(settings, str(filename), as_json=as_json):
        ctx.exit(1)
    cluster = _cluster(namespace, context)
    if manifest is not None:
        cluster.write(resource, manifest, dry_run=True)
    elif cluster.read(resource) is None:
        raise CannotRunError(f"{resource} is not in namespace {cluster.namespace}")
    with shown_live() as draw:
        deadline = time.monotonic() + timeout
        following = Following(cluster, resource, selector=selector, deadline=deadline, show=draw)
        if action == "nudge":
            _print_nudged(following.nudge(), as_json=as_json)
            return
        write = (
            None if manifest is None else partial(cluster.write, resource, manifest, dry_run=False)
        )
        found = following.look() if action else following.run(write, restart=restart)
    _print(found, following.restarted, as_json=as_json)
    for kind, name in following.rolling:
        say(console(stderr=True), f"not restarted in time: {kind.lower()}/{name}")
    ctx.exit(1 if following.rolling else exit_status(found))


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """Give 0 when every container serves what it should, else 1."""
    return 0 if all(verdict.state is State.SERVED for verdict in verdicts) else 1


def _meant(words: Sequence[str]) -> tuple[str, Resource]:
    *actions, named = words
    if actions and (kind := actions[-1].lower()) in KINDS and "/" not in named:
        raise click.UsageError(
            f"{' '.join(words[-2:])!r} is two words; write {KINDS[kind].lower()}/{named}"
        )
    if len(actions) > 1 or not set(actions) <= set(ACTIONS):
        raise click.UsageError(f"{' '.join(actions)!r} is neither status nor nudge")
    kind, slash, name = named.partition("/")
    if not slash or not name or kind.lower() not in KINDS:
        raise click.UsageError(f"{named!r} names no resource; write configmap/NAME or secret/NAME")
    return "".join(actions), Resource(KINDS[kind.lower()], name)


def _manifest(path: Path, resource: Resource) -> Mapping[str, Any]:
    """Give the object of a file, checked as ``apply`` checks it."""
    try:
        text = path.read_text(encoding="utf-8")
        manifests.parse(text, str(path))
        found = manifests.objects(text, str(path))
    except (OSError, UnicodeError) as error:
        raise CannotRunError(f"{path} cannot be read ({type(error).__name__})") from None
    except ManifestError as error:
        raise CannotRunError(str(error)) from None
    for item in found:
        if (item["kind"], item["metadata"]["name"]) == resource:
            return item
    raise CannotRunError(f"{path} does not hold {resource}")


def _is_taken(settings: str, filename: str, *, as_json: bool) -> bool:
    """Tell whether an application takes a manifest, and if not, print why, as ``check`` does."""
    verdict = rehearsed(settings, [filename])
    if verdict["accepted"]:
        return True
    if as_json:
        print_json(verdict)
    else:
        show(verdict, [Finding(**each) for each in verdict["findings"]])
    return False


def _cluster(namespace: str | None, context: str | None) -> Any:
    try:
        from .cluster import Cluster  # noqa: PLC0415 -- because the client is an extra, and slow to import
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in ("kubernetes", "urllib3"):
            raise
        raise CannotRunError(
            "rollout needs the Kubernetes client; run: pip install 'dynaconf-k8s-reload[cluster]'"
        ) from None
    return Cluster(namespace, context)


def _print(found: Sequence[Verdict], restarted: Sequence[Workload], *, as_json: bool) -> None:
    if as_json:
        print_json([verdict.as_dict() for verdict in found])
        return
    out = console()
    put(out, table(found, out.width))
    for kind, name in restarted:
        say(out, f"restarted: {kind.lower()}/{name}")
    say(out, summary(found))


def _print_nudged(pods: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(list(pods))
    else:
        say(console(), f"nudged: {', '.join(pods) or 'nobody mounts it'}")
