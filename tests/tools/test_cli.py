"""The command itself: how it starts, its help, completion, and what all screens keep to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from command import MODULE, approved, on_terminal, run, run_process
from dynaconf_k8s_reload import __version__
from dynaconf_k8s_reload.testing import AtomicWriter

COMMANDS = ["", "apply", "show", "watch", "doctor", "check", "rollout"]
EXAMPLES = re.compile(r"^ *Examples?:\n *dynaconf-k8s-reload ", re.MULTILINE)


@pytest.mark.parametrize("command", [*COMMANDS, "rollout status", "rollout nudge"])
def test_help(command: str) -> None:
    """Each command explains itself, with its exit codes and an example, in 80 columns."""
    done = run(*command.split(), "--help")
    assert done.status == 0
    assert "  Exit code: 0" in done.out
    assert EXAMPLES.search(done.out)
    approved(f"help-{'-'.join(command.split()) or 'group'}", done.out, 80)


def test_the_help_of_status() -> None:
    """It does without click, and says what click, which completes its options, would say."""
    shown = run_process("status", "--help", environ={"COLUMNS": "80"}).out
    assert EXAMPLES.search(shown)
    approved("help-status", shown, 80)
    paragraphs = [paragraph.split() for paragraph in shown.split("\n\n")]
    for paragraph in run("status", "--help").out.split("\n\n")[1:4]:
        assert paragraph.split() in paragraphs


def test_the_summaries_of_the_commands_fit() -> None:
    """No command's line is cut at the usual width of a terminal."""
    _, _, commands = run("--help", columns=80).out.partition("Commands:")
    assert "status" in commands
    assert "..." not in commands


def test_version() -> None:
    """The command tells its version."""
    assert run("--version").out == f"dynaconf-k8s-reload {__version__}\n"


def test_it_runs_as_a_module() -> None:
    """``python -m dynaconf_k8s_reload`` is the same command, under its own name."""
    done = subprocess.run([*MODULE, "-h"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("Usage: dynaconf-k8s-reload [OPTIONS] COMMAND")


def test_it_runs_as_a_plugin_of_kubectl() -> None:
    """``kubectl config-rollout`` runs ``rollout`` with the arguments that follow."""
    plugin = "from dynaconf_k8s_reload.__main__ import rollout; rollout()"
    command = [sys.executable, "-c", plugin, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == run("rollout", "--help").out.split()


@pytest.mark.parametrize("missing", ["click", "rich", "yaml"])
def test_without_the_extra(missing: str) -> None:
    """Where a package of the extra is missing, one line says what to install."""
    done = run_process("show", "/config", first=f"sys.modules['{missing}'] = None")
    assert done.status == 2
    assert done.out == ""
    expected = f"dynaconf-k8s-reload needs {missing}; run: pip install 'dynaconf-k8s-reload[cli]'\n"
    assert done.err == expected


def test_another_missing_module_is_no_missing_extra() -> None:
    """What is missing for another reason is not hidden behind that line."""
    done = run_process("show", "/config", first="sys.modules['dynaconf.constants'] = None")
    assert done.status == 1
    assert "ModuleNotFoundError" in done.err


def test_completion() -> None:
    """The shell's completion is click's, and knows the commands and their options."""
    variable = "_DYNACONF_K8S_RELOAD_COMPLETE"
    source = run(**{variable: "bash_source"})
    assert source.status == 0
    assert "complete -o nosort -F" in source.out
    for words, expected in [
        ("dynaconf-k8s-reload ap", "plain,apply\n"),
        ("dynaconf-k8s-reload doctor --se", "plain,--settings\n"),
        ("dynaconf-k8s-reload show /co", "dir,/co\n"),
    ]:
        number = str(len(words.split()) - 1)
        done = run(**{variable: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number})
        assert done.out == expected


def test_a_name_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    """A file's name may be beyond the terminal's encoding, or hold control characters."""
    (tmp_path / "é").write_text("x")
    (tmp_path / "\x1b[31mred").write_text("x")
    done = run_process("show", tmp_path, environ={"PYTHONIOENCODING": "ascii"})
    assert done.status == 0
    assert "\\xe9" in done.out
    assert "'\\x1b[31mred'" in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize(("environ", "colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_and_progress_on_a_terminal_only(
    volume: AtomicWriter, environ: dict[str, str], colour: bool
) -> None:
    """On a terminal the doctor shows what it is at, and colours unless told not to."""
    volume.write({"not-a-variable": "x"})
    screen = on_terminal(80, "doctor", volume.directory, **environ)
    assert screen.status == 0
    assert "Counting inotify watches" in screen.out
    assert ("\x1b[1;36mNOTE" in screen.out) is colour
