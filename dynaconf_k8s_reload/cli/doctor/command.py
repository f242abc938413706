"""``doctor``: what is wrong with mounts, or with how an application uses them, and the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
from rich.text import Text

from ..._model.errors import ConfigError
from ..._model.mount import Mount
from ..._model.names import Names
from ..._model.options import Options
from ..._source.content import Payload
from ..._source.mount_table import mount_table
from ..._source.reader import DEFAULT_MOUNT, default_mounts
from ..._source.snapshot import Snapshot
from ..._watch import patched_by
from ..application import Application, load
from ..findings import (
    NAMES_LISTED,
    Finding,
    Severity,
    fails,
    findings_options,
    print_findings,
    selected,
)
from ..mounts import DIRECTORY_OR_FILE, as_dict, is_mounted, mounts_of, print_head
from ..screen import (
    CannotRunError,
    console,
    example,
    json_option,
    print_json,
    put,
    say,
    steps,
)
from .keys import check_keys
from .last_good import check_last_good
from .linux import inotify, inotify_error
from .mounts import check_system, look
from .settings import check_application, settings_files

DELAY = (
    "Between kubectl edit and the files lie the kubelet's sync period and its cache, up to a "
    "minute or two. To have it at once, annotate the pod:"
)
ANNOTATE = 'kubectl annotate pod POD --overwrite synced="$(date)"'


@click.command(
    epilog=example(
        "dynaconf-k8s-reload doctor /config --settings myapp.config:settings",
        "kubectl exec POD -- dynaconf-k8s-reload doctor /config",
    )
    + f"\n\n{NAMES_LISTED}"
)
@click.argument("directories", nargs=-1, metavar="[DIR]...", type=DIRECTORY_OR_FILE)
@click.option(
    "--settings",
    "name",
    metavar="MODULE:NAME",
    help="Import these settings and check them, too; nothing is watched or changed.",
)
@findings_options
@json_option
@click.pass_context
def doctor(  # noqa: PLR0913 -- because each is an option of the command
    context: click.Context,
    directories: Sequence[str],
    name: str | None,
    *,
    ignored: Sequence[str],
    fail_on: Severity,
    verbose: bool,
    as_json: bool,
) -> None:
    """Find what keeps updates of DIR from arriving, and the remedy.

    Without DIR: the mounts of the settings, else those of
    K8S_MOUNTS_FOR_DYNACONF, else /config.

    Exit code: 0 if all is fine, 1 if something is found, 2 if it could not run.
    """
    with steps() as step:
        diagnosis = _diagnose(directories, name, step)
    findings = selected(diagnosis.findings, ignored)
    if as_json:
        mounts = [as_dict(snapshot) for snapshot in diagnosis.snapshots]
        print_json({"mounts": mounts, "findings": [finding.as_dict() for finding in findings]})
    else:
        _print(diagnosis.snapshots, findings, verbose=verbose)
    context.exit(1 if fails(findings, fail_on) else 0)


def _print(snapshots: Sequence[Snapshot], findings: Sequence[Finding], *, verbose: bool) -> None:
    out = console()
    for snapshot in snapshots:
        print_head(out, snapshot)
    print_findings(out, findings, verbose=verbose)
    table = mount_table()
    if not findings and any(is_mounted(each.mount.path, table) for each in snapshots):
        out.print()
        put(out, Text(DELAY))
        say(out, f"  {ANNOTATE}")


@dataclass(frozen=True)
class _Diagnosis:
    snapshots: Sequence[Snapshot]
    findings: Sequence[Finding]


def _diagnose(
    directories: Sequence[str], name: str | None, step: Callable[[str], object]
) -> _Diagnosis:
    application = None
    environ = dict(os.environ)
    if name is not None:
        step(f"Importing {name}")
        application = load(name)
    options = _options(application)
    mounts = _mounts(directories, options, application)
    step("Reading the mounts")
    table = mount_table()
    looked = [look(mount, table) for mount in mounts]
    snapshots = [snapshot for snapshot, _ in looked if snapshot is not None]
    payload = Payload(snapshots)
    findings = [finding for _, found in looked for finding in found]
    step("Counting inotify watches")
    present = [snapshot.mount.path for snapshot in snapshots if snapshot.present]
    error = inotify_error(present[0]) if present else 0
    findings.extend(check_system(inotify(), error, patched_by()))
    names: Names | None = None
    files: set[str] = set()
    if application is not None:
        findings.extend(check_application(application, payload, directories))
        if application.attachment is not None:
            files = settings_files(application.settings)
        names = application.names
        if application.last_good is not None:
            refused = application.problem is not None and bool(application.problem.keys)
            findings.extend(check_last_good(application.last_good, snapshots, refused=refused))
    of_keys = check_keys(payload, options, environ, names, files)
    if application is not None and application.problem is not None:
        # Which settings files it lists is not known.
        of_keys = (finding for finding in of_keys if finding.name != "file-like-key")
    findings.extend(of_keys)
    return _Diagnosis(snapshots, findings)


def _options(application: Application | None) -> Options:
    if application is not None and application.options is not None:
        return application.options
    try:
        return Options.read({}, os.environ, default_mounts())
    except ConfigError as error:
        raise CannotRunError(str(error)) from None


def _mounts(
    directories: Sequence[str], options: Options, application: Application | None
) -> list[Mount]:
    mounts = list(options.k8s_mounts)
    if application is None and directories:  # these only, each as it is configured
        named = {os.path.realpath(path) for path in directories}
        mounts = [mount for mount in mounts if os.path.realpath(mount.path) in named]
    known = {os.path.realpath(mount.path) for mount in mounts}
    others = [path for path in directories if os.path.realpath(path) not in known]
    if application is None and not mounts and not others:
        others = [DEFAULT_MOUNT]
    return [*mounts, *mounts_of(others, ())]
