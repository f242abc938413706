"""The one invariant: a reload is indistinguishable from a restart, minus the restart."""

from __future__ import annotations

import gc
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, note
from hypothesis import settings as profile
from hypothesis import strategies as st

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from fresh_process import Application, FreshProcesses, load, see
from sampling import examples
from support import own_process

SEQUENCES = examples(100, nightly=2_000)
APPLICATIONS = examples(200, nightly=10_000)
REFUSED = "refused"
TEXTS = [
    *("1", "2", "two", "true", "", "x\n", '{a=1, b="x"}', "[1, 2]", "{c=3}", "[3]", '"1"'),
    *("@merge [9]", "@merge {k=1}", "@merge_unique [1]", "@insert 0 z", "@del", "@int 5", "@none"),
    *("@format {this.BASE}", "@format {env[PLAIN]}", "@jinja {{ env.get('PLAIN', '-') }}"),
    *("@format {this.A}!", '@json {"a": [1]}', REFUSED, "@int x", "other", "default"),
]
NO_ENVIRONMENTS = {
    f"MYAPP_MODE={text}" for text in TEXTS if text not in ("two", "other", "default")
}
TEMPLATES = [text for text in TEXTS if text.startswith(("@format", "@jinja"))]
KEYS = [
    *("MYAPP_A", "A", "MYAPP_DB", "MYAPP_DB__HOST", "MYAPP_DB__a__b", "DB__HOST", "MYAPP_LIST"),
    *("PLAIN", "MYAPP_MODE", "sub/x", "DYNACONF_D", "MYAPP_ONLY", "not-a-name", "MYAPP_LIST__0"),
]
FILES = ["[default]\nF = 1\n[other]\nF = 2\nA = 'file'\n", "[default]\nDB = {file = true}\n", "= ["]
BOOT = ["PLAIN", "MYAPP_A", "MYAPP_DB__HOST", "MYAPP_ONLY", "MYAPP_BOOT__ONLY"]
PLAIN_NAMES = {*(key.replace("/", "__") for key in KEYS), *BOOT}
NAMES = sorted({*PLAIN_NAMES, *(f"P_{name}" for name in PLAIN_NAMES)})

payloads = st.tuples(
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(TEXTS), max_size=6),
    st.none() | st.sampled_from(FILES),
).map(lambda made: {**made[0], **({} if made[1] is None else {"app.toml": made[1]})})
updates = st.tuples(st.sampled_from([0, 1]), payloads)
options = st.fixed_dictionaries(
    {},
    optional={
        "environments": st.just(value=True),
        "merge_enabled": st.just(value=True),
        "ignore_unknown_envvars": st.just(value=True),
        "includes": st.just(["more.toml"]),
        "k8s_env_wins": st.sampled_from([["MYAPP_BOOT*"], ["PLAIN"], ["MYAPP_A"]]),
        "k8s_prefixed_only": st.just(value=True),
        "load_dotenv": st.just(value=True),
    },
)
boots = st.dictionaries(st.sampled_from(BOOT), st.sampled_from(["boot 1", "boot 2"]), max_size=3)
second_mount = st.fixed_dictionaries(
    {},
    optional={
        "prefix": st.just("P_"),
        "secret": st.just(value=True),
        "exclude": st.just(["DB*"]),
    },
)
# A hook runs in each environment, and what it makes within another one is an object of its own.
steps = st.sampled_from(["hook", "switch"]).flatmap(
    lambda never: st.sets(st.sampled_from(sorted({*Application.DOES} - {never})), min_size=1)
)


@pytest.fixture(scope="module")
def fresh() -> Iterator[FreshProcesses]:
    """Processes that start now."""
    processes = FreshProcesses()
    yield processes
    processes.close()


# Without shrinking, which can take longer than a run: the example that failed is small enough.
@profile(max_examples=SEQUENCES, phases=[Phase.explicit, Phase.generate])
@given(
    first=st.tuples(payloads, payloads),
    sequence=st.lists(updates, min_size=1, max_size=6),
    chosen=options,
    boot=boots,
    second=second_mount,
)
def test_a_reload_is_a_restart(
    fresh: FreshProcesses,
    first: tuple[dict[str, str], dict[str, str]],
    sequence: list[tuple[int, dict[str, str]]],
    chosen: dict[str, Any],
    boot: dict[str, str],
    second: dict[str, Any],
) -> None:
    """After any sequence of updates, settings and environment are those of a fresh process."""
    with tempfile.TemporaryDirectory() as place:
        case = _Case(Path(place), chosen, boot, second)
        case.write(0, first[0])
        case.write(1, first[1])
        with case.environment(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dynaconf warns of settings files that are not there
            case.start(fresh)
            try:
                settings = apart(load, case.options)
                found = see(settings, NAMES)
            except Exception as error:
                found = {"error": type(error).__name__}
                settings = None
            assert not differing(found, fresh.answer())
            for which, payload in sequence if settings is not None else ():
                case.write(which, payload)
                note(f"then mount {which}: {payload}")
                case.start(fresh)
                result = apart(get_reloader(settings).reload)
                expected = fresh.answer()
                if result.outcome == "rejected":
                    assert "error" in expected, result.error
                    assert see(settings, NAMES) == found
                else:
                    found = see(settings, NAMES)
                    assert not differing(found, expected)
            if settings is not None:
                get_reloader(settings).stop(restore=True)  # here, where its environment is


@profile(max_examples=APPLICATIONS, phases=[Phase.explicit, Phase.generate])
@given(
    first=st.tuples(payloads, payloads),
    sequence=st.lists(updates, min_size=1, max_size=6),
    chosen=options,
    does=steps.map(sorted),
    written=st.sampled_from([None, "PLAIN", "MYAPP_A"]),
    elsewhere=st.booleans(),
)
def test_a_reload_of_a_large_application_is_a_restart(
    fresh: FreshProcesses,
    first: tuple[dict[str, str], dict[str, str]],
    sequence: list[tuple[int, dict[str, str]]],
    chosen: dict[str, Any],
    does: list[str],
    written: str | None,
    elsewhere: bool,
) -> None:
    """With several objects that code completes, copies of them, and variables that code writes."""
    with tempfile.TemporaryDirectory() as place:
        case = _Case(Path(place), {**chosen, "does": does}, {}, {})
        case.left_out = left_out(does)
        case.write(0, first[0])
        case.write(1, first[1])
        with case.environment(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case.start(fresh)
            try:
                application = apart(Application, case.options)
                found = application.see(NAMES)
            except Exception as error:
                found = {"error": type(error).__name__}
                application = None
            assert not differing(found, fresh.answer())
            if application is None:
                return
            for reloader in map(get_reloader, application.objects):
                reloader._process.join(reloader.generations)  # as if they watched, without a thread
            # Leaving an environment undoes what code has added, here as with dynaconf alone, and
            # entering one reads files, whose changes copies then miss.
            apart_from = {"file", "values", "environment", "export"}
            elsewhere = elsewhere and "switch" in does and apart_from.isdisjoint(does)
            for which, payload in sequence:
                case.write(which, payload)
                note(f"then mount {which}: {payload}")
                if written in set(os.environ).difference(chosen.get("k8s_env_wins", ())):
                    os.environ[str(written)] = "code"
                case.start(fresh)
                found = application.see(NAMES)
                expected = fresh.answer()
                # dynaconf reads files when it switches, also those that a reload refuses.
                within = elsewhere and "error" not in expected
                with application.settings.using_env("other") if within else nullcontext():
                    results = [apart(get_reloader(each).reload) for each in application.objects]
                if any(result.outcome == "rejected" for result in results):
                    assert "error" in expected, [result.error for result in results]
                    assert application.see(NAMES) == found
                else:
                    assert not differing(application.see(NAMES), expected)
            for each in application.objects:
                get_reloader(each).stop(restore=True)


def left_out(does: list[str]) -> set[str]:
    """Say which keys, texts and both (KEY=text) cannot be compared where this is done."""
    names: set[str] = set()
    if "environment" in does:
        # dynaconf's loader takes variables in the order of the environment, which a pod's is not,
        # and what code adds is validated at a reload, but not where it is added at the start.
        names |= {"MYAPP_DB", "MYAPP_LIST", "MYAPP_A"}
    if "switch" in does:
        # With these, dynaconf itself does not always come back from another environment.
        names |= {"MYAPP_LIST__0", *TEMPLATES}
        names |= NO_ENVIRONMENTS
    return names


def apart(do: Callable[..., Any], *arguments: Any) -> Any:
    """Do it in a thread, whose stack is short: dynaconf goes through all of it for each file."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(do, *arguments).result()


def differing(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Show each setting and variable in which two processes differ: here, then in the fresh one."""
    if "error" in expected or "error" in found:
        return {} if found == expected else {"error": (found.get("error"), expected.get("error"))}
    return {
        key: (found[kind].get(key), expected[kind].get(key))
        for kind in ("settings", "environ")
        for key in {**found[kind], **expected[kind]}
        if found[kind].get(key) != expected[kind].get(key)
    }


class _Case:
    """One application, in its directory, with two mounts and what its pod says of variables."""

    def __init__(
        self, place: Path, chosen: dict[str, Any], boot: dict[str, str], second: dict[str, Any]
    ) -> None:
        self._writers = [AtomicWriter(place / "a"), AtomicWriter(place / "b", order="1.20")]
        self.left_out: set[str] = set()
        self._payloads: list[dict[str, str]] = [{}, {}]
        self._boot = boot
        self._prefix = second.get("prefix", "")
        self._env_from_second = not second
        (place / "settings.toml").write_text("BASE = 'base'\n[default]\nBASE = 'd'\nLIST = [0]\n")
        (place / "more.toml").write_text("[default]\nDB = {include = 1}\nA = 'include'\n")
        (place / ".env").write_text("MYAPP_FROM_DOTENV=1\n")
        (place / "further.toml").write_text("[default]\nFURTHER = 1\n")
        self.options = {
            "mounts": [
                str(place / "a"),
                {"path": str(place / "b"), **second} if second else str(place / "b"),
            ],
            "refuse": REFUSED,
            "root_path": str(place),
            "settings_files": ["settings.toml", str(place / "a" / "app.toml")],
            "env_switcher": "MYAPP_MODE",
            **chosen,
        }

    def write(self, which: int, payload: dict[str, str]) -> None:
        # A pod fails on such a name before its loaders can bring what another mount says.
        early = set() if which or self._env_from_second else NO_ENVIRONMENTS
        left_out = self.left_out | early
        payload = {k: t for k, t in payload.items() if left_out.isdisjoint((k, t, f"{k}={t}"))}
        self._payloads[which] = payload
        self._writers[which].write(payload)

    def variables(self) -> dict[str, str]:
        """What a pod that starts now has: envFrom of the ConfigMaps, and env, which wins.

        A name in k8s_env_wins is one that the pod sets in env; envFrom has none of them.
        """
        given: dict[str, str] = {}
        for payload in self._payloads[: 2 if self._env_from_second else 1]:
            named = {key.replace("/", "__"): text for key, text in payload.items()}
            given.update({name: text for name, text in named.items() if name.isidentifier()})
        wins = self.options.get("k8s_env_wins", [])
        kept = {n: t for n, t in given.items() if not any(fnmatchcase(n, w) for w in wins)}
        return {**kept, **self._boot}

    def start(self, fresh: FreshProcesses) -> None:
        fresh.start(self.variables(), self.options, NAMES)

    def environment(self) -> Any:
        return _Started(self.variables())


class _Started:
    """This process, as if it had just started with these variables.

    Its garbage is collected afterwards: a template that refers to itself goes to the limit of
    recursion, where no finalizer could run.
    """

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._contexts = ExitStack()

    def __enter__(self) -> None:
        gc.disable()
        self._contexts.callback(gc.enable)
        self._contexts.enter_context(own_process())  # another case knew the same names
        monkeypatch = self._contexts.enter_context(pytest.MonkeyPatch.context())
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv("MYAPP_FROM_DOTENV", raising=False)
        for name, text in self._variables.items():
            monkeypatch.setenv(name, text)

    def __exit__(self, *error: object) -> None:
        for name in [*NAMES, "MYAPP_FROM_DOTENV"]:
            os.environ.pop(name, None)
        self._contexts.close()
