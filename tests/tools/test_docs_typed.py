"""Each ``$`` line of each document, typed as it stands where its reader stands.

What would need a cluster is listed in NOT_TYPED, and checked as far as it can be without one.
"""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from docs_site import PAGES, ROOT
from servers import free_port
from support import eventually
from terminal import AT_MOST, Command, File, Terminal, commands, steps

READMES = sorted((ROOT / "examples").glob("**/README.md"))
DOCUMENTS = {
    str(path.relative_to(ROOT)): path for path in [*sorted(ROOT.glob("*.md")), *PAGES, *READMES]
}
PROJECT = (ROOT / "pyproject.toml").read_text()
EXAMPLES = "examples"

# A reader stands in an empty directory, or in the example whose README it is; but here:
STANDS = {
    "docs/delivery.md": "examples/script",  # for any manifest
    "docs/django.md": "examples/django",  # for a project of one's own
    "docs/flask.md": "examples/flask",  # for an application of one's own
    "docs/tutorial-cluster.md": ".",
}
# What there is before the first line: in docs/flask.md, an edit of what the process started with.
BEFORE = {
    "docs/flask.md": "mkdir config && echo new > config/MYAPP_GREETING"
    " && export CONFIG_DIR=$PWD/config MYAPP_GREETING=old",
}
# These go on until Ctrl-C: what follows is typed in another terminal.
GOES_ON = r"dynaconf-k8s-reload apply --watch .*|(CONFIG_DIR=\S+ )?python (app|worker)\.py"
# These also print what a page leaves out, and says so; of all others it shows each line.
LEAVES_OUT = r"dynaconf-k8s-reload apply .*|flask k8s-reload diff"
# What differs from run to run, in what a document shows.
VARIES = r'(?<="worker":)\d+|(?<=^process )\d+'
PORTS = r"\b(5000|8000)\b"  # those of servers; another one is free

# By document, and by line, each with the reason.
NOT_TYPED = [
    (r".*", r"(kubectl|kind|docker) .*", "it needs a cluster, or Docker"),
    (r".*", r"dynaconf-k8s-reload rollout .*", "it needs a cluster"),
    (r"examples/kubernetes/.*", r"curl 'http://env-svc:8080/.*", "it is typed in a pod"),
    (r"docs/tutorial-cluster.md", r"curl .*:8080/.*|sleep 5|kill %1", "kubectl forwards the port"),
    (r"docs/scale.md", r"python .*", "it needs a cluster whose only node is the machine"),
    (
        r"README.md|CONTRIBUTING.md",
        r"\./(test|demo)\.sh.*",
        "it installs from the index, and runs these tests or what they run",
    ),
]


def why_not(document: str, line: str) -> str:
    """Say why a line is not typed, or nothing."""
    reasons = (
        reason
        for where, what, reason in NOT_TYPED
        if re.fullmatch(where, document) and re.fullmatch(what, line)
    )
    return next(reasons, "")


LINES = {name: [each.typed for each in commands(path)] for name, path in DOCUMENTS.items()}
TYPED = {
    name: typed
    for name, lines in LINES.items()
    if (typed := [line for line in lines if not why_not(name, line)])
}


def asks_a_server(line: str) -> bool:
    return line.startswith("curl ")


def followed(name: str) -> object:
    """Name a document, and mark it where it has somebody start a server."""
    heavy = any(map(asks_a_server, TYPED[name]))
    return pytest.param(name, marks=pytest.mark.heavy) if heavy else name


def needed(line: str) -> set[str]:
    """Give the distributions that a line installs beside ours."""
    found: set[str] = set()
    _, installs, asked = line.partition("pip install ")
    for name, extras in re.findall(
        r"([\w-]+)(?:\[([\w,]+)\])?(?:<\d+)?", asked if installs else ""
    ):
        if name != "dynaconf-k8s-reload":
            assert re.search(rf'^ *"{name}[>=]', PROJECT, re.MULTILINE), f"{name}: for no test"
            found.add(name)
        for extra in filter(None, extras.split(",")):
            (listed,) = re.findall(rf"^{extra} = \[(.+)\]$", PROJECT, re.MULTILINE)
            found |= set(re.findall(r'"([\w-]+)', listed))
    return found


@pytest.mark.parametrize("name", [*map(followed, TYPED)])
def test_what_a_document_shows_is_so(name: str, tmp_path: Path) -> None:
    """Typed line by line where the reader stands, its commands print what it shows."""
    for each in sorted({module for line in TYPED[name] for module in needed(line)}):
        skip_without(each)
    directory = place(name, tmp_path)
    with free_port() as port, ExitStack() as opened:
        terminal = opened.enter_context(Terminal(directory, tmp_path))
        terminal.run(BEFORE.get(name, "true"))
        for step in steps(DOCUMENTS[name]):
            if isinstance(step, File):
                terminal.save(step)
            elif not why_not(name, step.typed):
                follow(terminal, Command(re.sub(PORTS, str(port), step.typed), step.shown))
                if re.fullmatch(GOES_ON, step.typed):
                    terminal = opened.enter_context(Terminal(directory, tmp_path))


def place(name: str, directory: Path) -> Path:
    """Make the place where a document's reader stands: an empty directory, or a fresh checkout."""
    made = shutil.ignore_patterns("__pycache__", ".venv", "config", ".pytest_cache")
    shutil.copytree(ROOT / EXAMPLES, directory / "checkout" / EXAMPLES, ignore=made)
    (directory / "empty").mkdir()
    if where := stands(name):
        return directory / "checkout" / where
    return directory / "empty"


def stands(name: str) -> str:
    """Say where in a checkout a document's reader stands, or nothing."""
    own = str(Path(name).parent) if name.startswith(EXAMPLES) else ""
    return STANDS.get(name, own)


def skip_without(name: str) -> None:
    """Skip the test where a distribution is not installed."""
    try:
        distribution(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")


def follow(terminal: Terminal, command: Command) -> None:
    """Type a command, and wait for what is shown; who asks a server too soon asks it again."""
    shown = steady(command.shown)
    leaves_out = re.fullmatch(LEAVES_OUT, command.typed)
    goes_on = re.fullmatch(GOES_ON, command.typed)
    start = terminal.start(command.typed) if goes_on else terminal.run(command.typed)

    def is_shown() -> bool:
        nonlocal start
        printed = steady(terminal.printed(start))
        if not shown:  # the page tells in words what there is; who goes on says something first
            return bool(printed) or not goes_on
        if leaves_out:
            printed = [line for line in printed if line in shown]
        if printed != shown and asks_a_server(command.typed):
            start = terminal.run(command.typed)
        return printed == shown

    eventually(is_shown, AT_MOST, else_show=lambda: f"{command}\n{terminal.screen()}")


def steady(printed: list[str]) -> list[str]:
    return [re.sub(VARIES, "…", line) for line in printed]


def test_each_line_is_known() -> None:
    """No ``$`` line stands where nobody would look for it, so each is typed or has its reason."""
    for name, path in DOCUMENTS.items():
        written = re.findall(r"^\s*\$ (.+)$", path.read_text(), re.MULTILINE)
        assert written == LINES[name], name


@pytest.mark.parametrize(("where", "what", "reason"), NOT_TYPED)
def test_each_exception_is_one(where: str, what: str, reason: str) -> None:
    """There is a line that is not typed for this reason."""
    assert any(why_not(name, line) == reason for name in LINES for line in LINES[name])


def test_files_that_a_cluster_is_given_are_there() -> None:
    """Each file and each name of an object in a line for a cluster is where its reader stands."""
    manifests = "".join(path.read_text() for path in (ROOT / EXAMPLES).glob("*/*.yaml"))
    found = 0
    for name, lines in LINES.items():
        directory = ROOT / stands(name)
        for line in lines:
            if line.startswith("cd examples"):
                directory /= line.split()[1]
            if not line.startswith(("kubectl ", "docker ")):
                continue
            for file in re.findall(r" -[fk] (\S+)", line):
                assert (directory / file).exists(), f"{name}: {line}"
                found += 1
            for word in re.findall(r"\benv-\w+(?::\d+)?|(?<=--role=)\S+", line):
                assert re.search(rf": {word}\b", manifests), f"{name}: {word}"
                found += 1
    assert found


def test_environments_that_a_contributor_is_shown_are_there() -> None:
    """Each one that a line names is one of tox's, its factors included."""
    tox = (ROOT / "tox.ini").read_text()
    named = re.findall(r"test\.sh -e (\S+)", "\n".join(LINES["CONTRIBUTING.md"]))
    for environment in ",".join(named).split(","):
        python, _, factor = environment.partition("-")
        if re.fullmatch(r"py3\d\d", python):
            assert not factor or environment in tox
        else:
            assert f"[testenv:{environment}]" in tox


def test_our_own_commands_are_there() -> None:
    """Each command of ours in a line, typed or not, has the options that it is given."""
    pytest.importorskip("click", reason="the command line is an extra")
    from dynaconf_k8s_reload.cli import cli

    found = 0
    for name, lines in LINES.items():
        for line in lines:
            for rest in re.findall(r"(?<!install )(?<!')\bdynaconf-k8s-reload (.+)$", line):
                command, *words = rest.split()
                known = {option for each in cli.commands[command].params for option in each.opts}
                given = {word for word in words if word.startswith("-")}
                assert given <= known, f"{name}: {line}"
                found += 1
    assert found
