"""What a process that starts now would see: settings and environment, for comparing.

Run as a program it imports once, and then forks a fresh process for each question. That is far
quicker than starting Python each time and just as fresh: nothing has been loaded before the fork.
"""

from __future__ import annotations

import gc
import inspect
import json
import linecache
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dynaconf import Validator
from dynaconf.loaders import env_loader

from support import make_settings

Answer = dict[str, Any]


def canonical(value: Any) -> Any:
    """Write a value so that JSON tells apart what a reader would."""
    if isinstance(value, dict):
        return ["dict", sorted([str(key), canonical(value[key])] for key in list(value))]
    if isinstance(value, (list, tuple)):
        return ["list", [canonical(item) for item in value]]
    if type(value).__module__ == "dynaconf.utils.parse_conf":  # a token that found nothing to do
        return [type(value).__name__, canonical(getattr(value, "value", None))]
    if inspect.ismethod(value):
        return ["method", value.__qualname__]
    return [type(value).__name__, str(value)]


def see(settings: Any, names: list[str]) -> Answer:
    """Say what settings and environment are now, or that the settings cannot be read."""
    try:
        return _see(settings, names)
    except Exception as error:  # such as a template that names a variable which is not set
        return {"error": type(error).__name__}


def _see(settings: Any, names: list[str]) -> Answer:
    return {
        "settings": {key: canonical(value) for key, value in settings.as_dict().items()},
        "environ": {name: os.environ[name] for name in names if name in os.environ},
    }


def load(options: dict[str, Any]) -> Any:
    """Make settings from options that JSON can carry; ``refuse`` is a value of A to refuse."""
    options = {"k8s_watch": False, **options}
    mounts, refused = options.pop("mounts"), options.pop("refuse")
    settings = make_settings(*mounts, **options, validators=[Validator("A", ne=refused)])
    bool(settings)  # a lazy object loads when it is first asked anything
    return settings


class Application:
    """Settings as large applications have them: several objects, completed by code.

    Args:
        options: as for `load`; ``does`` lists what the application does, of `DOES`.
    """

    DOES = ("switch", "file", "values", "environment", "late", "export", "hook", "second")

    def __init__(self, options: dict[str, Any]) -> None:
        self._does = options["does"]
        self._options = {name: value for name, value in options.items() if name != "does"}
        if "hook" in self._does:
            self._options["post_hooks"] = [self._hook]
        self.settings = load(self._options)
        self._other: Any = None
        self._exported = SimpleNamespace()
        for step in self.DOES:
            if step in self._does and step != "hook":
                getattr(self, f"_{step}")()

    def __deepcopy__(self, _: object) -> Application:
        """Stay one: dynaconf 3.2 copies what a hook is bound to, in the clone it hands over."""
        return self

    @property
    def objects(self) -> list[Any]:
        """The settings objects, each with a reloader of its own."""
        return [each for each in (self.settings, self._other) if each is not None]

    def see(self, names: list[str]) -> Answer:
        """Say what all settings, copies and the environment are now."""
        try:
            seen = _see(self.settings, names)
            second = {} if self._other is None else _see(self._other, [])["settings"]
        except Exception as error:
            return {"error": type(error).__name__}
        exported = {key: canonical(value) for key, value in vars(self._exported).items()}
        for title, held in (("exported", exported), ("second", second)):
            seen["settings"].update({f"{title} {key}": value for key, value in held.items()})
        return seen

    def _hook(self, _: Any) -> dict[str, Any]:
        own = make_settings(*self._options["mounts"], k8s_watch=False)
        return {"SEEN": [str(own.get("PLAIN")), str(os.environ.get("PLAIN"))]}

    def _switch(self) -> None:
        with self.settings.using_env("other"):
            self.settings.get("A")

    def _file(self) -> None:
        self.settings.load_file(f"{self._options['root_path']}/further.toml")

    def _values(self) -> None:
        self.settings.set("STEADY", 5, loader_identifier="code")
        self.settings.update({"DB": {"by_code": 1}}, loader_identifier="code", merge=True)
        self.settings.setdefault("ONLY", "by default")

    def _environment(self) -> None:
        env_loader.load(self.settings, identifier="again")

    def _late(self) -> None:
        # It judges one setting by another one, through the application's own object.
        other = Validator("PLAIN", condition=lambda value: value != self.settings.get("A"))
        self.settings.validators.register(other)
        self.settings.validators.validate()

    def _export(self) -> None:
        self.settings.populate_obj(self._exported)

    def _second(self) -> None:
        mounts, refused = self._options["mounts"], self._options["refuse"]
        refuses = [Validator("LIST", ne=refused)]
        self._other = make_settings(*mounts, k8s_watch=False, validators=refuses)
        bool(self._other)


def answer(question: dict[str, Any]) -> Answer:
    """Be a process that starts with this environment, these options and these mounts."""
    os.environ.update(question["environ"])
    warnings.simplefilter("ignore")
    options = question["options"]
    try:
        if "does" in options:
            return Application(options).see(question["names"])
        return see(load(options), question["names"])
    except Exception as error:
        return {"error": type(error).__name__}


class FreshProcesses:
    """Asks fresh processes."""

    def __init__(self) -> None:
        self._working = False
        self._zygote = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.defpath, **_python_path()},
        )

    def start(self, environ: dict[str, str], options: dict[str, Any], names: list[str]) -> None:
        """Start one with this environment; it works while the caller does."""
        assert self._zygote.stdin
        if self._working:
            self.answer()  # nobody wanted it: the caller has failed
        question = {"environ": environ, "options": options, "names": names}
        print(json.dumps(question), file=self._zygote.stdin, flush=True)
        self._working = True

    def answer(self) -> Answer:
        """Say what the one that was started last sees."""
        assert self._zygote.stdout
        answered: Answer = json.loads(self._zygote.stdout.readline())
        self._working = False
        return answered

    def close(self) -> None:
        """End the program."""
        self._zygote.communicate(timeout=10)


def _python_path() -> dict[str, str]:
    return {
        name: os.environ[name]
        for name in ("PYTHONPATH", "COVERAGE_PROCESS_START")
        if name in os.environ
    }


def _serve() -> None:
    import dynaconf_k8s_reload.loader  # noqa: F401 -- because each fork then finds it imported

    _know_the_sources()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


def _know_the_sources() -> None:
    """Read the sources that a fork runs: to find a file dynaconf asks for each caller's."""
    inspect.stack()
    for module in list(sys.modules.values()):
        source = getattr(module, "__file__", None) or ""
        if "dynaconf" in source and source.endswith(".py"):
            linecache.getlines(source)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _serve()
