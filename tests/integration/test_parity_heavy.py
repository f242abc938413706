"""Many texts under many names: a file means what a variable means to dynaconf's own loader."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from dynaconf import Dynaconf
from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynaconf_k8s_reload._model.changes import same
from dynaconf_k8s_reload._source.snapshot import SETTINGS_FILE_EXTENSIONS
from sampling import examples
from support import make_settings

pytestmark = pytest.mark.heavy

AT_ONCE = 50  # fewer cost more for each, and more take dynaconf 3.2 longer again
EXAMPLES = examples(200, nightly=20_000)  # a million texts in a night

PIECES = st.sampled_from(
    [
        *("true", "False", "1", "-0", "1_000", "0x1f", "1e5", ".5", "inf", "nan", "1979-05-27"),
        *("07:32:00", "'x'", '"x\\n"', '"""', "[1, 2]", "[", "]", "{a=1}", "{", "}", "=", ",", "#"),
        *("@int ", "@float ", "@bool ", "@json ", "@str ", "@none", "@merge ", "@format ", "@"),
        *(
            "{this.OTHER}",
            "a",
            "web",
            "\\",
            "\ufeff",
            "\xa0",
            "\u2028",
            "\x0b",
            " ",
            "\t",
            "\r",
            "\n",
        ),
        *(
            '{"a": 1}',
            "null",
            "dynaconf_merge",
            "dynaconf_merge=true",
            "ключ",
            "\x1b[31m",
            "%s",
            "$X",
        ),
    ]
)
ENDS = st.sampled_from(["", "", "", "\n", "\r\n", " \n", "\n\n", "\r"])
UNUSUAL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TEXTS = st.builds(
    lambda pieces, end: "".join(pieces) + end, st.lists(PIECES | UNUSUAL, max_size=4), ENDS
)
SUFFIXES = st.sampled_from(
    ["", "-x", ".y", "_z", "__A__b", "__a", "___0", "2", " 2", "-", "--", "__", ".A.b", "é", "[0]"]
)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """One directory for all, on whose names nothing depends."""
    path = Path(mkdtemp())
    yield path
    shutil.rmtree(path)


def parsed(text: str) -> Any:
    """What dynaconf makes of a text."""
    return parse_conf_data(boolean_fix(text), tomlfy=True, box_settings={})


def as_variable(text: str) -> str | None:
    """The variable that means the same: of what stays text, the only newline is dropped.

    There is none for what dynaconf refuses, and for text that looks like a token only without it;
    both have tests of their own.
    """
    try:
        if parsed(text) != text:
            return text
        less = re.sub(r"\A([^\n]*?)\r?\n\Z", r"\1", text)
        return less if parsed(less) == less else None
    except Exception:
        return None


def laid_out(loaded: Any) -> dict[str, Any]:
    """What each of the settings gives, or the kind of failure of a lazy one, or that all fail."""
    found: dict[str, Any] = {}
    try:
        loaded.store  # noqa: B018 -- because it loads them
    except Exception:  # of which kind has tests of its own: a `KeyError` cannot say our words
        return {"": "refused"}
    for key in dict.keys(loaded.store):
        if re.match(r"KEY\d", str(key)):
            try:
                found[key] = comparable(loaded.get(key))
            except Exception as error:
                found[key] = type(error).__name__
    return found


def comparable(value: Any) -> Any:
    """Replace what dynaconf left unapplied, such as a merge with nothing, by what it says."""
    if isinstance(value, dict):
        return {key: comparable(value[key]) for key in list(value)}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if type(value).__module__ == "dynaconf.utils.parse_conf":
        return [type(value).__name__, comparable(value.value)]
    return value


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(SUFFIXES, TEXTS), min_size=AT_ONCE, max_size=AT_ONCE))
def test_any_text_under_any_name(
    monkeypatch: pytest.MonkeyPatch, directory: Path, drawn: list[tuple[str, str]]
) -> None:
    """Fifty at a time, files and variables of the same names and texts give the same settings."""
    given_texts = {
        f"MYAPP_KEY{number}{suffix}": text
        for number, (suffix, text) in enumerate(drawn)
        if as_variable(text) is not None and not suffix.endswith(SETTINGS_FILE_EXTENSIONS)
    }
    for old in directory.iterdir():
        old.unlink()
    for name, text in given_texts.items():
        (directory / name).write_bytes(text.encode())
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynaconf warns of some of its own tokens
        found = laid_out(make_settings(directory, OTHER="here", k8s_watch=False, k8s_mirror=False))
        for name, text in given_texts.items():
            patch.setenv(name, str(as_variable(text)))
        expected = laid_out(Dynaconf(envvar_prefix="MYAPP", OTHER="here"))
    assert same(found, expected)
