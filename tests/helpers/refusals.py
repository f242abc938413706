"""Every way in which content can be refused: one bad key among 50 that change, and its culprit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dynaconf import Validator

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

MARKER = "zQ7hunter2"
OTHERS = [f"MYAPP_K{n:02}" for n in range(50)]
GOOD = {"MYAPP_BAD": "1", "MYAPP_NEXT": "1", **dict.fromkeys(OTHERS, "1")}


class Hidden(str):
    """A value in a validator, which belongs to its author and is not content."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'hidden'"


class Way(NamedTuple):
    """One way in which content can be refused.

    Attributes:
        bad: the keys that differ from `GOOD`, beside all of `OTHERS`.
        culprit: how the refusal begins.
        reason: what stands in its reason.
        keys: its ``keys``.
        good: what else the good content has.
        options: arguments of ``Dynaconf(...)``.
        files: the settings files in the mount.
        includes: more of them, which dynaconf loads after the loader.
        check: an ``on_validate`` check.
        at_first: a first load with the bad content is explained too.
    """

    bad: dict[str, Any]
    culprit: str
    reason: str
    keys: tuple[str, ...] = ("MYAPP_BAD",)
    good: Mapping[str, str] = MappingProxyType({})
    options: Mapping[str, Any] = MappingProxyType({})
    files: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    check: Callable[..., object] | None = None
    at_first: bool = True


def parsed(text: str, token: str) -> Way:
    """A variable that does not parse."""
    return Way({"MYAPP_BAD": text}, "MYAPP_BAD of ", f"{token} cannot parse it")


def validated(bad: Any, rule: str, *validators: Any, **way: Any) -> Way:
    """A setting that a validator refuses."""
    way.setdefault("keys", ("BAD",))
    return Way(
        {"MYAPP_BAD": bad, "MYAPP_NEXT": "2"},
        "BAD (MYAPP_BAD) of ",
        f"a validator refuses {rule}",
        options={"validators": list(validators)},
        **way,
    )


def in_file(name: str, bad: str, reason: str, good: str, **way: Any) -> Way:
    """A settings file, or a setting in it."""
    way.setdefault("keys", (name,))
    way.setdefault("culprit", f"{name} of ")
    return Way({name: bad}, reason=reason, good={name: good}, files=(name,), at_first=False, **way)


def included(bad: str, reason: str, culprit: str = "more.toml", key: str = "more.toml") -> Way:
    """An include in the mount, or a setting in it."""
    names = ("more.toml",)
    bads = {"more.toml": bad}
    return Way(bads, f"{culprit} of ", reason, (key,), {"more.toml": "X = 1"}, includes=names)


def refuse_marker(value: Any) -> bool:
    """A condition."""
    return MARKER not in str(value)


def raise_for_marker(value: Any) -> Any:
    """A condition, or a cast, that fails."""
    if MARKER in str(value):
        raise ValueError(value)
    return value


def hook(settings: Any) -> dict[str, Any]:
    """A post hook."""
    raise_for_marker(settings.BAD)
    return {}


def hook_that_sets(settings: Any) -> dict[str, Any]:
    """A hook whose result does not parse."""
    return {"FROM_HOOK": f"@int {MARKER}"} if settings.BAD != 1 else {}


def check(candidate: Any, _: object) -> None:
    """A check of an update."""
    raise_for_marker(candidate.BAD)


def lazily(value: str) -> str:
    """A template that fails once it is read."""
    return f"@format {{this.NOT_THERE_{value}}}"


MUTE = f"""class MuteError(Exception):
    def __str__(self):
        raise ValueError('{MARKER}')
raise MuteError"""
NOT_MARKED = Validator("BAD", ne=Hidden(MARKER))
FINE = Validator("NEXT", gte=0)

WAYS: dict[str, Way] = {
    # what does not parse
    "@int": parsed(f"@int {MARKER}", "@int"),
    "@float": parsed(f"@float {MARKER}", "@float"),
    "@json": parsed(f'@json {{"{MARKER}": ', "@json"),
    "@int of a nested key": Way(
        {"MYAPP_DB__BAD": f"@int {MARKER}"},
        "MYAPP_DB__BAD of ",
        "@int cannot parse it",
        ("MYAPP_DB__BAD",),
    ),
    "@int without the prefix": Way(
        {"PLAIN": f"@int {MARKER}"},
        "PLAIN of ",
        "@int cannot parse it",
        ("PLAIN",),
        options={"k8s_prefixed_only": False},
    ),
    "a merge that reads a template": Way(
        {"MYAPP_BAD": lazily(MARKER), "MYAPP_BAD__x": "1"},
        "MYAPP_BAD of ",
        "DynaconfFormatError",
    ),
    "a nested template that is to be merged": Way(
        {"MYAPP_DB__a": f"@merge @jinja {{{{ '{MARKER}' + 1 }}}}", "MYAPP_DB__b": "2"},
        "MYAPP_DB__a of ",
        "TypeError",
        ("MYAPP_DB__a",),
        good={"MYAPP_DB__x": "1"},
    ),
    "a list that is nested too deeply": Way(
        {"MYAPP_BAD": f"@json {'[' * 900}{']' * 900}"}, "MYAPP_BAD of ", "RecursionError"
    ),
    "a nested list that is nested too deeply": Way(
        {"MYAPP_DB__a": f"@json {'[' * 900}{']' * 900}"},
        "MYAPP_DB__a of ",
        "RecursionError",
        ("MYAPP_DB__a",),
    ),
    # single validators
    "an operation": validated("9", "BAD (lte)", Validator("BAD", lte=5)),
    "a comparison with text": validated(MARKER, "BAD (gte)", Validator("BAD", gte=1)),
    "a comparison with what is secret": validated(MARKER, "BAD (ne)", NOT_MARKED),
    "an operation that raises": validated(
        "9",
        "BAD (startswith)",
        Validator("BAD", startswith="a"),
        good={"MYAPP_BAD": "a"},
    ),
    "the second of two operations": validated("9", "BAD (lt)", Validator("BAD", gt=0, lt=5)),
    "a length": validated(MARKER, "BAD (len_max)", Validator("NEXT", "BAD", cast=str, len_max=3)),
    "a type": validated(f"'{MARKER}'", "BAD (is_type_of)", Validator("BAD", is_type_of=int)),
    "a condition": validated(
        MARKER, "BAD (refuse_marker)", Validator("BAD", condition=refuse_marker)
    ),
    "a condition that raises": validated(
        MARKER,
        "BAD (its condition raise_for_marker: ValueError at ",
        Validator("BAD", condition=raise_for_marker),
    ),
    "a cast": validated(MARKER, "BAD (its cast int: ValueError", Validator("BAD", cast=int)),
    "a cast of the application's": validated(
        MARKER,
        "BAD (its cast raise_for_marker: ValueError at ",
        Validator("BAD", cast=raise_for_marker),
    ),
    "a default that raises": Way(
        {"MYAPP_NEXT": MARKER},
        "MADE",
        "a validator refuses MADE (its default <lambda>: ValueError at ",
        ("MADE",),
        options={
            "validators": [Validator("MADE", default=lambda s, _: raise_for_marker(s["NEXT"]))]
        },
    ),
    "an author's own message": validated(
        MARKER,
        "BAD (ne: BAD must be another than it is (…, …), see page 7)",
        Validator(
            "BAD",
            ne=Hidden(MARKER),
            messages={
                "operations": "{name} must be another than it is ({value:>20}, {op_value[0]}), "
                "see page 7"
            },
        ),
    ),
    "an author's message that looks into the value": validated(
        "9",
        "BAD (lte: too high: … and …)",
        Validator("BAD", lte=5, messages={"operations": "too high: {value.real} and {value!r}"}),
    ),
    "an author's message of a condition": validated(
        MARKER,
        "BAD (refuse_marker: no {value} here)",
        Validator("BAD", condition=refuse_marker, messages={"condition": "no {{value}} here"}),
    ),
    "what has to be there": Way(
        {"MYAPP_BAD": "@del"},
        "BAD (MYAPP_BAD) of ",
        "a validator refuses BAD (required)",
        ("BAD",),
        options={"validators": [Validator("BAD", must_exist=True)]},
    ),
    "what may not be there": Way(
        {"MYAPP_NEW": MARKER},
        "NEW (MYAPP_NEW) of ",
        "a validator refuses NEW (must not exist)",
        ("NEW",),
        options={"validators": [Validator("NEW", must_exist=False)]},
    ),
    "a nested setting": Way(
        {"MYAPP_DB__HOST": MARKER},
        "DB.HOST (MYAPP_DB__HOST) of ",
        "a validator refuses DB.HOST (ne)",
        ("DB.HOST",),
        good={"MYAPP_DB__HOST": "localhost"},
        options={"validators": [Validator("DB.HOST", ne=Hidden(MARKER))]},
    ),
    "a key inside a value": Way(
        {"MYAPP_DB": f'{{HOST="{MARKER}"}}'},
        "DB.HOST (MYAPP_DB) of ",
        "a validator refuses DB.HOST (ne)",
        ("DB.HOST",),
        options={"validators": [Validator("DB.HOST", ne=Hidden(MARKER))]},
    ),
    "a key of what has none": Way(
        {"MYAPP_BAD": "9"},
        "BAD.x (MYAPP_BAD) of ",
        "a validator refuses BAD.x (its value",
        ("BAD.x",),
        good={"MYAPP_BAD": "{x=1}"},
        options={"validators": [Validator("NEXT", "BAD.x", default=1)]},
    ),
    "when": validated(
        MARKER, "BAD (ne)", Validator("BAD", ne=Hidden(MARKER), when=Validator("NEXT", eq=2))
    ),
    # combined and nested ones
    "and": validated(MARKER, "BAD (ne)", FINE & NOT_MARKED),
    "and, both": validated(
        MARKER,
        "BAD (ne), NEXT (lte)",
        NOT_MARKED & Validator("NEXT", lte=1),
        keys=("BAD", "NEXT"),
    ),
    "or": validated(
        MARKER, "BAD (ne), NEXT (lte)", NOT_MARKED | Validator("NEXT", lte=1), keys=("BAD", "NEXT")
    ),
    "and within or": validated(
        MARKER,
        "BAD (ne), NEXT (lte)",
        (NOT_MARKED & FINE) | Validator("NEXT", lte=1),
        keys=("BAD", "NEXT"),
    ),
    "a cast within and": validated(
        MARKER, "BAD (its cast int: ValueError", FINE & Validator("BAD", cast=int)
    ),
    "a template that a validator reads": validated(
        lazily(MARKER), "BAD (its @format template: ", Validator("BAD", must_exist=True)
    ),
    "a template of jinja's that a validator reads": validated(
        f"@jinja {{{{ '{MARKER}' | no_filter }}}}",
        "BAD (its @jinja template: ",
        Validator("BAD", must_exist=True),
    ),
    "a lazy cast that a validator reads": validated(
        f"@int @format {MARKER}{{this.NEXT}}",
        "BAD (its @format template: ",
        Validator("BAD", must_exist=True),
    ),
    # settings files, and settings in them
    "TOML": in_file("app.toml", f'X = 1\nY = "{MARKER}\n', "TOMLDecodeError in line 2", "X = 1"),
    "TOML that ends too early": in_file(
        "app.toml", f'X = "{MARKER}', "TOMLDecodeError at its end", "X = 1"
    ),
    "YAML": in_file("app.yaml", f"X: 1\nY: [{MARKER}\nZ: 1", "ParserError in line 3", "X: 1"),
    "JSON": in_file("app.json", f'{{"X": 1,\n"{MARKER}"', "JSONDecodeError in line 2", '{"X": 1}'),
    "a list in place of a table": in_file("app.yaml", f"- {MARKER}", "AttributeError", "X: 1"),
    "bytes in place of text": in_file(
        "app.json", f'{{"X": "{MARKER}\udcff"}}', "UnicodeDecodeError", '{"X": 1}'
    ),
    "Python that does not compile": in_file(
        "app.py", f"X = 1\nY = ('{MARKER}'", "SyntaxError in line 2", "X = 1"
    ),
    "Python that raises": in_file(
        "app.py", f"X = 1\n\nraise ValueError('{MARKER}')", "ValueError in line 3", "X = 1"
    ),
    "Python that raises what cannot be shown": in_file(
        "app.py", MUTE, "MuteError in line 4", "X = 1"
    ),
    "a setting in TOML": in_file(
        "app.toml",
        f"X = '@int {MARKER}'",
        "@int cannot parse it",
        "X = 1",
        culprit="X in app.toml of ",
        keys=("X",),
    ),
    "a nested setting in YAML": in_file(
        "app.yaml",
        f"DB: {{'{MARKER}': '@json {MARKER}'}}",
        "@json cannot parse it",
        "X: 1",
        culprit="DB in app.yaml of ",
        keys=("DB",),
    ),
    "a setting in Python": in_file(
        "app.py",
        f"X = '@float {MARKER}'",
        "@float cannot parse it",
        "X = 1",
        culprit="X in app.py of ",
        keys=("X",),
    ),
    "an include": included(f'X = 1\nY = "{MARKER}\n', "TOMLDecodeError in line 2"),
    "a setting in an include": included(
        f"X = '@int {MARKER}'", "@int cannot parse it", "X in more.toml", "X"
    ),
    "an include that a settings file names": Way(
        {"more.py": f"X = 1\nraise ValueError('{MARKER}')"},
        "more.py of ",
        "ValueError in line 2",
        ("more.py",),
        {"app.toml": 'dynaconf_include = ["more.py"]', "more.py": "X = 1"},
        files=("app.toml",),
    ),
    # functions of the application
    "a check": Way(
        {"MYAPP_BAD": MARKER},
        "the check check rejects ",
        "in raise_for_marker, which reads BAD",
        ("BAD",),
        check=check,
        at_first=False,
    ),
    "a hook": Way(
        {"MYAPP_BAD": MARKER},
        "the hook hook rejects ",
        "in raise_for_marker, which reads BAD",
        ("BAD",),
        options={"post_hooks": [hook]},
        at_first=False,
    ),
    "a hook's result": Way(
        {"MYAPP_BAD": MARKER},
        "the hook hook_that_sets rejects ",
        "",
        (),
        options={"post_hooks": [hook_that_sets]},
        at_first=False,
    ),
    # what cannot be read
    "an oversize file": Way(
        {"MYAPP_BAD": MARKER * 200_000},
        "MYAPP_BAD of ",
        "MYAPP_BAD is larger than 1 MiB",
        at_first=False,
    ),
}


def content(way: Way, *, bad: bool) -> dict[str, str | bytes]:
    """Give the mount's content: with the bad key, all of the others change too."""
    texts = {**GOOD, **way.good, **dict.fromkeys(OTHERS, "2" if bad else "1")}
    texts |= way.bad if bad else {}
    return {key: text.encode(errors="surrogateescape") for key, text in texts.items()}


def make(volume: AtomicWriter, way: Way) -> Any:
    """Make settings that are not watched."""
    files = [str(volume.directory / name) for name in way.files]
    includes = [str(volume.directory / name) for name in way.includes]
    options = {"settings_files": files} if files else {}
    options |= {"includes": includes} if includes else {}
    settings = make_settings(volume.directory, k8s_watch=False, **options, **way.options)
    if way.check is not None:
        get_reloader(settings).on_validate(way.check)
    return settings
