"""YAML and JSON, read as Kubernetes reads them.

No message shows a value: it gives the number of a line, but not its text.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from .volume import ManifestError

DEEPEST = 1000  # levels; libyaml itself has refused more only since 0.2.6


def documents(text: str, source: str) -> list[Any]:
    """Read the documents of a file.

    Args:
        text: YAML of any number of documents, or JSON.
        source: the name of the file, for messages.

    Raises:
        ManifestError: it is neither.
        RecursionError: it is nested too deeply.
    """
    if text.lstrip().startswith("{"):  # JSON may be indented with tabs, which YAML forbids
        try:
            return [json.loads(text)]
        except ValueError:
            pass
    try:
        _refuse_deep(text)
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        problem = f"{source}: {_place(error)}error parsing: {_problem(error)}"
        raise ManifestError(problem) from None
    except (LookupError, TypeError, ValueError):  # from PyYAML's constructors, such as of !!int ""
        raise ManifestError(f"{source}: error parsing: a value is not what its tag says") from None


def _refuse_deep(text: str) -> None:
    """Refuse what is nested so deeply that composing it would overflow libyaml's stack."""
    depth = 0
    for event in yaml.parse(text, _Fastest):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise RecursionError
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it


class _Loader(_Fastest):  # type: ignore[misc] # reason: it is one or the other
    """YAML as Kubernetes reads it: times and keys are text, and a key comes once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- because PyYAML passes it so
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.tag.endswith(":bool"):
                key.value = json.dumps(self.construct_yaml_bool(key))
            if not key.tag.endswith(":merge"):
                key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                problem = f"key {json.dumps(key.value)} already set in map"
                raise _RepeatedKeyError(None, None, problem, key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


class _RepeatedKeyError(yaml.constructor.ConstructorError):
    pass


def _plain(loader: Any, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


def _number(loader: Any, node: yaml.ScalarNode) -> Any:
    """Read a number: which one makes no difference, since no value of a manifest is one."""
    if ":" in node.value:  # 12:30 is text to Kubernetes, and base sixty to PyYAML
        return node.value
    try:
        is_float = node.tag.endswith(":float")
        return loader.construct_yaml_float(node) if is_float else loader.construct_yaml_int(node)
    except ValueError:  # such as for 0x_, or for more digits than Python takes
        return 0


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _plain)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark is not None else ""


def _problem(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", "not YAML"))
    if isinstance(error, _RepeatedKeyError) or "expected" in problem:  # it quotes keys or signs
        return problem
    # What PyYAML quotes otherwise may be a value, such as that of an unquoted *alias or !tag.
    return problem.partition("'")[0].strip()
