"""What this package reads of dynaconf's functions: their local variables, and their names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from dynaconf import LazySettings, ValidationError, Validator, loaders
from dynaconf.base import Settings
from dynaconf.loaders import env_loader, py_loader
from dynaconf.loaders.base import BaseLoader, SourceMetadata
from dynaconf.utils import parse_conf
from dynaconf.validator import AndValidator, OrValidator, ValidatorList

from dynaconf_k8s_reload._dynaconf import assembly, refusing, state, typed
from dynaconf_k8s_reload._dynaconf.build import LEGACY_KEYWORDS
from dynaconf_k8s_reload._dynaconf.defaults import DEFAULTS, KEYWORDS

LOCALS: list[tuple[Callable[..., Any], str]] = [
    (loaders._run_hook_function, "hook_func"),
    (parse_conf.apply_converter, "converter_key"),
    (Settings.set, "key loader_identifier nested_sep"),
    (BaseLoader.get_source_data, "source_file"),
    (BaseLoader._envless_load, "file_name"),
    (BaseLoader._load_all_envs, "file_name"),
    (py_loader.get_module, "filename"),
    (py_loader.import_from_filename, "filename"),
    (py_loader.load_from_python_object, "mod"),
    (
        refusing._ONE_BY_ONE,
        "self name env value op_succeeded op_name op_function op_value _message",
    ),
    (AndValidator.validate, "errors"),
    (OrValidator.validate, "errors"),
    (ValidatorList.validate_all, "errors"),
    (Settings.__init__, "self settings_module kwargs"),
    (LazySettings.configure, "self"),
    (LazySettings._setup, "self"),
]


@pytest.mark.parametrize(("function", "names"), LOCALS)
def test_a_frame_that_is_read_has_its_local_variables(
    function: Callable[..., Any], names: str
) -> None:
    """Where a culprit or a wrapper is looked for, dynaconf names its variables as it did."""
    code = inspect.unwrap(function).__code__
    assert set(names.split()) <= {*code.co_varnames, *code.co_cellvars}


def test_the_loader_of_the_environment_is_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``env_loader.load`` looks ``load_from_env`` up in its module at each call."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(env_loader, "load_from_env", lambda *given, **_: calls.append(given))
    settings = Settings()
    del calls[:]
    env_loader.load(settings, "development")
    assert calls
    assert all(settings in given for given in calls)


def test_what_dynaconf_calls_itself_is_told_from_what_code_calls() -> None:
    """A validator's default comes from a module of dynaconf's, by the name of its globals."""
    seen: list[bool] = []

    class Looking(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def setdefault(self, *args: Any, **keywords: Any) -> Any:
            seen.append(assembly.called_by_dynaconf())
            return super().setdefault(*args, **keywords)

    settings = Looking()
    settings.validators.register(Validator("A", default=1))
    settings.validators.validate()
    settings.setdefault("B", 2)
    assert seen == [True, False]


def test_sources_are_noted_under_the_names_that_are_written_here() -> None:
    """dynaconf's defaults, the keywords and the settings module have the sources that we give."""
    settings = Settings("absent.toml", A=1)
    noted = state.get(settings, "loaded_by_loaders")
    assert noted[KEYWORDS]["A"] == 1
    assert "ENVVAR_PREFIX_FOR_DYNACONF" in noted[DEFAULTS]
    (module,) = (each for each in noted if each.identifier == "init_settings_module")
    assert noted[module]["SETTINGS_FILE_FOR_DYNACONF"] == "absent.toml"
    assert SourceMetadata("a", "b", "c")[:3] == ("a", "b", "c")


def test_legacy_keywords_of_validation_are_where_they_are_looked_for() -> None:
    """Up to 3.2 they are attributes; since then they stay among the defaults."""
    settings = Settings(validate_only=["A"])
    if "__core__" in vars(settings):
        assert dict.__contains__(state.get(settings, "defaults"), LEGACY_KEYWORDS[0])
    else:
        assert state.get(settings, LEGACY_KEYWORDS[0]) == ["A"]
        assert all(f"_{name}" in vars(settings) for name in LEGACY_KEYWORDS)


def test_a_validator_has_the_parts_that_a_refusal_is_told_from() -> None:
    """Its rules, its messages, what it combines, and what is bound to an environment."""
    one, other = Validator("A", gte=1, condition=bool), Validator("B", must_exist=False, when=None)
    assert (one.operations, one.condition, one.envs, other.when) == ({"gte": 1}, bool, None, None)
    assert (one.names, other.must_exist) == (("A",), False)
    assert {"operations", "must_exist_true", "must_exist_false", "condition"} <= (
        one.messages.keys() & Validator.default_messages.keys()
    )
    for both in (one & other, one | other):
        assert tuple(both.validators) == (one, other)
    settings = Settings(A=0)
    settings.validators.register(one & Validator("A", lte=1))
    with pytest.raises(ValidationError) as caught:
        settings.validators.validate_all()
    assert caught.value.details[0][0] is settings.validators[0]


@pytest.mark.filterwarnings("ignore:dynaconf.typed module is on tech preview")
def test_a_typed_class_constructs_in_the_function_that_is_looked_for() -> None:
    """``dynaconf.typed``, where there is one, registers its validators after construction."""
    if state.UP_TO_3_2:
        with pytest.raises(ModuleNotFoundError):
            import_module("dynaconf.typed")
        return
    module = import_module(typed.TYPED)
    found: list[Any] = []

    class Looking(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        def execute_loaders(self, *args: Any, **keywords: Any) -> None:
            frame: Any = sys._getframe()
            while frame and frame.f_code is not module.Dynaconf.__new__.__code__:
                frame = frame.f_back
            made = frame.f_locals
            found.append((made["validators"], made["options"]._trigger_validation))
            assert "validators" not in vars(made["new_cls"])["_kwargs"]

    class Typed(module.Dynaconf):  # type: ignore[misc, name-defined] # reason: as above
        NAME: str = "x"

    made = Typed(_wrapper_class=Looking)
    assert made.NAME == "x"
    assert found == [([*made.validators], True)]
