"""What the documents show is so."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import messages
from docs_site import DOCS, PAGES, ROOT
from dynaconf_k8s_reload import Mount, MountStatus, Status
from dynaconf_k8s_reload._model.options import DEFAULT_PROTECTED, Options

OPTIONS = (DOCS / "options.md").read_text()


def test_each_option_is_documented() -> None:
    """The table of options names each, in the order of the code, with its default."""
    rows = re.findall(r"^\| `(k8s_\w+)` \| (.+?) \|", OPTIONS, re.MULTILINE)
    assert [name for name, _ in rows] == list(Options._fields)
    defaults = Options._field_defaults
    for name, shown in rows:
        if name == "k8s_mounts":  # Options.read adds the default, where there is a volume
            assert shown == '`["/config"]`'
        elif name == "k8s_protected":
            assert all(f"`{pattern}`" in OPTIONS for pattern in DEFAULT_PROTECTED)
        else:
            default = defaults[name]
            written = list(default) if isinstance(default, tuple) else default
            assert shown == f"`{written:g}`" if isinstance(default, float) else f"`{written}`"


def test_each_field_of_a_mount_is_documented() -> None:
    """The table of a mount's fields names each."""
    shown = re.findall(
        r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", OPTIONS.split("## A mount")[1], re.MULTILINE
    )
    assert re.findall(r"\w+", " ".join(shown)) == [field.name for field in fields(Mount)]


def test_each_field_of_the_status_is_documented() -> None:
    """The table of the page on probes names each, and each field of a mount's status."""
    table = (DOCS / "probes.md").read_text().split("## What the status says")[1].split("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(shown) == sorted(field.name for field in fields(Status))
    (row,) = re.findall(r"^\| `mounts` \|(.*)", table, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(f.name for f in fields(MountStatus))


def test_each_alert_is_documented() -> None:
    """The table of the page on metrics is that of the rules that are shipped."""
    page = (DOCS / "metrics.md").read_text()
    rules = (ROOT / "examples" / "prometheus" / "rules.yaml").read_text()
    shipped = re.findall(r"alert: (\w+)\n.*?for: (\w+)\n.*?severity: (\w+)", rules, re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|.*\| (\w+) \| (\w+) \|$", page, re.MULTILINE) == shipped


def test_links_within_the_documents_resolve() -> None:
    """Each relative link leads to a file that is there, and to a heading of it."""
    for document in [*ROOT.glob("*.md"), *PAGES]:
        for target, _, heading in re.findall(
            r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", document.read_text()
        ):
            there = document.parent / target if target else document
            assert there.exists(), f"{document.name}: {target}"
            if heading:
                assert heading in _headings(there), f"{document.name}: {target}#{heading}"


def _headings(path: Path) -> set[str]:
    """Give the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_each_term_of_a_list_of_definitions_is_one_line() -> None:
    """Markdown takes a term of two lines for a paragraph, and its definition for the end of it."""
    for page in PAGES:
        broken = re.findall(r"(?<=\n)(?<!\n\n)([^\s:#`|].*|`(?!``).*)\n: ", page.read_text())
        assert broken == [], page.name


def test_each_page_is_in_the_contents() -> None:
    """The first page leads to each of the others."""
    index = (DOCS / "index.md").read_text()
    listed = [
        name
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
        for name in re.findall(r"^([\w-]+)$", tree, re.MULTILINE)
    ]
    assert sorted([*listed, "index"]) == [page.stem for page in PAGES]


def test_each_message_can_be_found() -> None:
    """Whoever looks for an error, a log line or a finding finds it in the troubleshooting."""
    page = " ".join((DOCS / "troubleshooting.md").read_text().split())
    templates = list(messages.templates())
    assert len(templates) > 50
    assert [each for each in templates if each.constant not in page] == []


def test_each_message_that_is_shown_is_said() -> None:
    """What the troubleshooting explains, and each finding that a page names, is in the code."""
    page = (DOCS / "troubleshooting.md").read_text()
    terms = " ".join(re.findall(r"^(\S.*`.*)\n: ", page, re.MULTILINE))
    shown = [twice or once for twice, once in re.findall(r"``(.+?)``|`([^`]+)`", terms)]
    for path in PAGES:
        shown += re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", path.read_text())
    clauses = {clause for each in shown for clause in messages.clauses(each)}
    assert len(clauses) > 200
    said = messages.said()
    assert {clause for clause in clauses if clause not in said} == messages.ASSEMBLED


def test_each_reason_for_no_variable_can_be_found() -> None:
    """So does whoever looks for why a key is no variable."""
    pytest.importorskip("rich", reason="the command line is an extra")
    from dynaconf_k8s_reload.cli.doctor.keys import _NOT_MIRRORED

    page = " ".join((DOCS / "troubleshooting.md").read_text().split())
    for reason, (_, _, title, _) in _NOT_MIRRORED.items():
        assert f"`{reason}`" in page
        assert f"*{title}*" in page


@pytest.mark.parametrize("program", ["draw_how", "draw_demo", "draw_fleet"])
def test_the_pictures_are_up_to_date(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture is what its program draws, of the recording that the documents have."""
    monkeypatch.syspath_prepend(DOCS)
    drawn = runpy.run_path(str(DOCS / f"{program}.py"))["pictures"]()
    assert drawn
    for name, picture in drawn.items():
        assert picture == (DOCS / "_static" / name).read_text(), name


def test_the_tables_of_speed_are_up_to_date() -> None:
    """They lay out what the recording of the benchmarks says."""
    tables = runpy.run_path(str(DOCS / "speed.py"))["tables"]()
    assert tables
    for name, table in tables.items():
        assert table == (DOCS / "recordings" / name).read_text(), name


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_the_figures_of_a_first_page_were_measured(name: str) -> None:
    """Those of speed are in the recording of the benchmarks, all others among the guarantees."""
    measured = runpy.run_path(str(DOCS / "speed.py"))["measured"]
    text = " ".join((ROOT / name).read_text().replace("**", "").split())
    ours = measured("reload, 1,000 keys")
    theirs = measured("reload, 1,000 keys", "settings.reload()")
    arrival = measured("arrival of 20 keys: this package")
    assert re.search(rf"1,000 keys reload in {ours}.*`settings.reload\(\)` takes {theirs}", text)
    assert re.search(rf"20 keys arrives? in {arrival}", text)
    guarantees = (DOCS / "guarantees.md").read_text()
    rounds = sum(int(each.replace(",", "")) for each in re.findall(r"([\d,]+) rounds,", guarantees))
    assert f"0 of {rounds:,} rounds" in text
    ((faults, checks),) = re.findall(
        r"([\d,]+) faults, and checked the status ([\d,]+) times", guarantees
    )
    assert f"{faults} random faults" in text
    assert f"{checks} checks" in text


def test_the_simulation_is_up_to_date() -> None:
    """What the page on fleets shows is what the program prints, which is always the same."""
    run = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "scale.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == (DOCS / "recordings" / "scale.txt").read_text()


def test_each_module_is_on_the_map() -> None:
    """The architecture names each private module in its room, and no other."""
    rows = re.findall(
        r"^\| (?:`(_\w+)`)? ?\| (`\w+`(?:, `\w+`)*) \|",
        (DOCS / "architecture.md").read_text().split("## The trip")[0],
        re.MULTILINE,
    )
    shown: dict[str, set[str]] = {}
    for room, listed in rows:
        current = shown.setdefault(room or [*shown][-1], set())
        names = set(re.findall(r"\w+", listed))
        assert not names & current
        current |= names
    rooms = [each for each in (ROOT / "dynaconf_k8s_reload").glob("_[a-z]*") if each.is_dir()]
    assert shown == {
        room.name: {path.stem for path in room.glob("*.py")} - {"__init__"} for room in rooms
    }


def test_what_the_architecture_refers_to_is_there() -> None:
    """Each module that it names with its room exists, and each function beside it is in it."""
    page = (DOCS / "architecture.md").read_text()
    package = ROOT / "dynaconf_k8s_reload"
    for module in set(re.findall(r"`(_\w+/\w+)(?:\.py)?`", page)):
        assert (package / f"{module}.py").exists(), module
    pointed = re.findall(r"`(_\w+/\w+)`(?::|,) ((?:`[\w.]+`(?:, | and )?)+)", page)
    assert pointed
    for module, names in pointed:
        code = (package / f"{module}.py").read_text()
        for name in re.findall(r"[\w.]+", names.replace(" and ", ", ")):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", code), f"{module}: {name}"
