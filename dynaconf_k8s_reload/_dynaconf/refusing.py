"""Which settings a validator refused, and by which rules: told without a value.

dynaconf's messages hold the value, and a combined validator's says only that it failed. The frames
of the exceptions tell the rest: each validator has the name and the rule in hand there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dynaconf import ValidationError, Validator
from dynaconf.utils.functional import empty
from dynaconf.utils.parse_conf import Lazy
from dynaconf.validator import AndValidator, OrValidator, ValidatorList

from .frames import Frame, code_of, frames_of, raised_in, told

# One name after another (`_validate_items` up to 3.2).
_ONE_BY_ONE: Any = getattr(Validator, "_validate_names", None) or Validator._validate_items
_SINGLE = code_of(_ONE_BY_ONE)
LAZY = code_of(Lazy.__call__)
_NO_CAST = code_of(Validator().cast)
_RANGE = ("gt", "gte", "lt", "lte")
_COMBINED = {
    code_of(function)
    for function in (AndValidator.validate, OrValidator.validate, ValidatorList.validate_all)
}


class _LeftOut:
    """Stands for a value in a message's template, whatever the template does with it."""

    def __format__(self, _: str) -> str:
        return "…"

    def __repr__(self) -> str:
        return "…"

    def __getattr__(self, _: str) -> _LeftOut:
        return self

    def __getitem__(self, _: object) -> _LeftOut:
        return self


LEFT_OUT = _LeftOut()


def refused(error: BaseException) -> dict[str, list[str]]:
    """Give each setting that was refused with the rules that it broke; empty if no validator ran.

    Where it is not known which of its rules a validator's setting broke, all are given.
    """
    frames = list(frames_of(error))
    at_work = [frame for frame in frames if frame.code is _SINGLE]
    if at_work:
        return {_setting(at_work[0].values): [_rule(error, at_work[-1], frames)]}
    combined = [frame for frame in frames if frame.code in _COMBINED]
    found: dict[str, list[str]] = {}
    for part in combined[-1].values["errors"] if combined else ():
        _merge(found, refused(part))
    return found or _of_details(error)


def described(settings: Mapping[str, Iterable[str]]) -> str:
    """Put that into words: ``a validator refuses POOL (gte), NAME (required)``."""
    listed = ", ".join(f"{name} ({', '.join(rules)})" for name, rules in settings.items())
    return f"a validator refuses {listed}"


def worded(error: ValidationError, refusing: Validator) -> str:
    """Repeat what dynaconf says of a refusal, with the value left out.

    A number that is out of its range stays, since an application may look for it: what is compared
    with limits is a size, not a secret.

    Args:
        error: what was raised.
        refusing: the validator that it came from.
    """
    frame = raised_in(error)
    values: Mapping[str, Any] = frame.values
    validator: Any = values.get("self")
    if frame.code in _COMBINED:
        joint = " or " if isinstance(validator, OrValidator) else " and "
        parts = joint.join(worded(part, refusing) for part in values["errors"])
        parts = parts.replace("combined validators failed ", "")  # as dynaconf does
        return str(validator.messages["combined"].format(errors=parts))
    if frame.code is not _SINGLE:  # an application's own words, which may hold anything
        return described(refused(error) or _of_validators([refusing]))
    if "_message" not in values:  # a rule that cannot be applied; behind the colon, Python's words
        return str(error).partition(": ")[0]
    words: dict[str, Any] = {"name": values["name"], "env": values["env"], "value": LEFT_OUT}
    if values.get("op_succeeded") is False:
        kind, value = "operations", values["value"]
        words |= {"operation": _name(values["op_function"]), "op_value": values["op_value"]}
        if values["op_name"] in _RANGE and type(value) in (int, float):
            words["value"] = value
    elif values["value"] is empty or validator.must_exist is False:
        return str(error)
    else:
        kind, words["function"] = "condition", _name(validator.condition)
    return str(validator.messages[kind].format(**words))


def _setting(values: Mapping[str, Any]) -> str:
    """The setting in hand; for an item of a list or a dictionary, the setting that holds it."""
    return str((values.get("variable_path") or (values.get("name"),))[0])


def _rule(error: BaseException, frame: Frame, frames: Sequence[Frame]) -> str:
    """Say which rule of a validator was broken, or could not be applied."""
    values, validator = frame.values, frame.values["self"]
    if not isinstance(error, ValidationError):
        called = _called(values, frames)
        return called if called in validator.operations else f"{called}: {told(error)}"
    words: dict[str, Any] = {"name": values["name"], "env": values.get("env"), "value": LEFT_OUT}
    if values.get("op_succeeded") is False:
        kind, rule = "operations", str(values["op_name"])
        words |= {"operation": _name(values["op_function"]), "op_value": LEFT_OUT}
    elif values.get("value", empty) is empty:
        kind, rule = "must_exist_true", "required"
    elif validator.must_exist is False:
        kind, rule = "must_exist_false", "must not exist"
    elif validator.condition is not None:
        kind, rule = "condition", _name(validator.condition)
        words["function"] = rule
    else:
        return "its value"
    if values.get("variable_path"):  # dynaconf has changed the messages of an item's validator
        return rule if values["name"] == "<item>" else f"{values['name']} {rule}"
    return _in_words(validator, kind, rule, words)


def _in_words(validator: Any, kind: str, rule: str, words: Mapping[str, Any]) -> str:
    """Name a rule and, where the validator's author has written a message for it, repeat that."""
    template = validator.messages[kind]
    if template == Validator.default_messages[kind]:
        return rule
    return f"{rule}: {template.format(**words)}"


def _called(values: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Tell what of a validator was called when something other than a refusal was raised."""
    validator, codes = values["self"], {frame.code for frame in frames}
    for word in ("condition", "default", "cast"):
        function = getattr(validator, word)
        if getattr(function, "__code__", None) in codes:
            return f"its {word} {_name(function)}"
    if getattr(values.get("op_function"), "__code__", None) in codes:
        return str(values["op_name"])
    lazy = next((f.values["self"] for f in frames if f.code is LAZY), None)
    if lazy is not None:
        return f"its @{lazy.formatter} template"
    casts = getattr(validator.cast, "__code__", None) is not _NO_CAST
    return f"its cast {_name(validator.cast)}" if casts else "its value"


def _of_details(error: BaseException) -> dict[str, list[str]]:
    """Name what a validation error itself names: validators, each with all of its rules."""
    return _of_validators(detail[0] for detail in getattr(error, "details", None) or [])


def _of_validators(validators: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for validator in itertools.chain.from_iterable(map(_leaves, validators)):
        rules = [
            *(["required"] if validator.must_exist else []),
            *map(str, validator.operations),
            *([_name(validator.condition)] if validator.condition is not None else []),
        ]
        _merge(found, {str(name): rules or ["its value"] for name in validator.names})
    return found


def _leaves(validator: Any) -> list[Any]:
    """Take combined validators apart."""
    parts = getattr(validator, "validators", None)
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [validator]


def _merge(found: dict[str, list[str]], more: Mapping[str, Iterable[str]]) -> None:
    for name, rules in more.items():
        known = found.setdefault(name, [])
        known.extend(rule for rule in rules if rule not in known)


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
