"""``check``: the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from ..._model.errors import MountError
from ..._model.shown import counted
from ..apply.command import files_option, read_manifests
from ..apply.volume import ManifestError, project
from ..findings import Finding, Severity, fails, findings_options, print_findings, selected
from ..mounts import DIRECTORY
from ..screen import (
    CannotRunError,
    console,
    example,
    json_option,
    print_json,
    printable,
    say,
    steps,
)
from .github import annotation
from .volumes import ALL, CONFIG_MAPS, SECRETS, Volume, copied, laid_out

# Findings for which content comes to nothing although a start takes it, with the verdict of each.
IN_VAIN = {
    "refused-by-reload": "Refused by a reload.",
    "no-loader": "Not read.",
    "no-mount": "Not read.",
    "directory-not-read": "Not all of it is read.",
}
TIMEOUT = 120.0  # seconds; a reload that hangs is given up then, an import earlier


@click.command(
    epilog=example(
        "dynaconf-k8s-reload check --settings myapp:settings -f configmap.yaml",
        "helm template . | dynaconf-k8s-reload check --settings myapp:settings -f -",
    )
)
@click.option(
    "--settings",
    "name",
    metavar="MODULE:NAME",
    required=True,
    help="Import these settings, in a process of their own.",
)
@files_option
@click.argument("directories", nargs=-1, metavar="[DIR]...", type=DIRECTORY)
@findings_options
@click.option("--github", is_flag=True, help="Print annotations for a GitHub workflow, too.")
@json_option
@click.pass_context
def check(  # noqa: PLR0913 -- because each is an option of the command
    context: click.Context,
    name: str,
    files: Sequence[str],
    directories: Sequence[str],
    *,
    ignored: Sequence[str],
    fail_on: Severity,
    verbose: bool,
    github: bool,
    as_json: bool,
) -> None:
    """Tell whether the application would take this content.

    The manifests, or the DIRs in the order of k8s_mounts, stand for its
    mounts. Its settings are loaded on them in a fresh process, and then
    reloaded: what would be refused, lost or changed is named. Without content,
    the mounts as they are here.

    Exit code: 0 if the content is accepted, 1 if it is refused or something is
    found, 2 if it could not run.
    """
    verdict = rehearsed(name, files, directories, ignored)
    findings = selected([Finding(**each) for each in verdict["findings"]], ())
    if as_json:
        print_json({**verdict, "findings": [finding.as_dict() for finding in findings]})
    else:
        show(verdict, findings, verbose=verbose)
    if github:
        manifests = [file for file in files if file != "-"]
        for finding in findings:
            click.echo(annotation(finding, manifests), err=as_json)
    context.exit(1 if not verdict["accepted"] or fails(findings, fail_on) else 0)


def rehearsed(
    name: str, files: Sequence[str], directories: Sequence[str] = (), ignored: Sequence[str] = ()
) -> dict[str, Any]:
    """Load and reload settings on manifests and directories, in a process of its own.

    Findings that are ignored are left out, and then count for nothing.

    Raises:
        CannotRunError: there are no such settings, or one of the others cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="k8s-check-") as scratch, steps() as step:
        volumes = [*_of_directories(directories, scratch), *_of_manifests(files, scratch)]
        step(f"Loading {name}")
        verdict = _rehearse({"name": name, "volumes": list(map(asdict, volumes))}, scratch)
    findings = [finding for finding in verdict["findings"] if finding["name"] not in ignored]
    in_vain = any(finding["name"] in IN_VAIN for finding in findings)
    return {**verdict, "accepted": verdict["accepted"] and not in_vain, "findings": findings}


def show(verdict: dict[str, Any], findings: Sequence[Finding], *, verbose: bool = False) -> None:
    """Print what a rehearsal has found."""
    out = console()
    for mount in verdict["mounts"]:
        size = f"{counted(mount['keys'], 'key')}, {counted(mount['bytes'], 'byte')}"
        say(out, f"{printable(mount['path'])}: {size}")
    say(out, _in_a_word(findings, accepted=verdict["accepted"]), "bold")
    if findings:
        print_findings(out, findings, verbose=verbose)


def _in_a_word(findings: Sequence[Finding], *, accepted: bool) -> str:
    if accepted:
        has_errors = any(finding.severity == "error" for finding in findings)
        return "Accepted, with errors." if has_errors else "Accepted."
    return next((IN_VAIN[each.name] for each in findings if each.name in IN_VAIN), "Refused.")


def _of_directories(directories: Sequence[str], scratch: str) -> list[Volume]:
    volumes = []
    for number, directory in enumerate(directories):
        if not os.path.isdir(directory):
            raise CannotRunError(f"absent: {printable(directory)}")
        try:
            path = copied(directory, f"{scratch}/directory-{number}")
        except MountError as error:
            raise CannotRunError(str(error)) from None
        volumes.append(Volume(path, os.path.realpath(directory), printable(directory)))
    return volumes


def _of_manifests(files: Sequence[str], scratch: str) -> list[Volume]:
    try:
        manifests = [manifest for file in files for manifest in read_manifests(file)]
    except ManifestError as error:
        raise CannotRunError(str(error)) from None
    kinds = {
        ALL: manifests,
        CONFIG_MAPS: [manifest for manifest in manifests if manifest.kind == "ConfigMap"],
        SECRETS: [manifest for manifest in manifests if manifest.kind == "Secret"],
    }
    return [
        Volume(
            laid_out(project(held, ()), f"{scratch}/{origin}"),
            origin,
            ", ".join(manifest.label for manifest in held),
        )
        for origin, held in kinds.items()
        if held
    ]


def _rehearse(request: dict[str, Any], scratch: str) -> dict[str, Any]:
    """Have a process of its own load and reload the settings.

    Raises:
        CannotRunError: it could not, or did not come to an end.
    """
    name = request["name"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dynaconf_k8s_reload.cli.check.rehearsal"],
            input=json.dumps({**request, "scratch": scratch}),
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            start_new_session=True,  # Ctrl-C is ours: we end it, and it prints no traceback
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotRunError(f"{name} was not loaded and reloaded within {TIMEOUT:g} s") from None
    if not done.stdout:
        raise CannotRunError(f"loading {name} ended its process, with status {done.returncode}")
    verdict: dict[str, Any] = json.loads(done.stdout)
    if "cannot_run" in verdict:
        raise CannotRunError(verdict["cannot_run"])
    return verdict
