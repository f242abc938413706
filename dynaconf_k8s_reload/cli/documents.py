"""The documents of a YAML or JSON file, as Kubernetes reads them."""

from __future__ import annotations

import json
from typing import Any

import yaml

__all__ = ["SyntaxProblemError", "documents"]


class SyntaxProblemError(Exception):
    """A file is neither YAML nor JSON."""


def documents(text: str) -> list[Any]:
    """Parse YAML, or JSON.

    Raises:
        SyntaxProblemError: it is neither; the message has the line, but nothing of what it holds.
    """
    if text.lstrip().startswith("{"):  # JSON may be indented with tabs, which is no YAML
        try:
            return [json.loads(text)]
        except ValueError:
            pass
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        raise SyntaxProblemError(f"{_place(error)}error parsing: {_problem(error)}") from None


_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it


class _Loader(_Fastest):  # type: ignore[misc] # reason: it is one or the other
    """YAML as Kubernetes' own reader has it: times and keys are text, and a key comes once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- because PyYAML calls it so
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


def _integer(loader: Any, node: yaml.ScalarNode) -> Any:
    # 12:30 is text to Kubernetes, and base sixty to PyYAML
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


def _float(loader: Any, node: yaml.ScalarNode) -> Any:
    return node.value if ":" in node.value else loader.construct_yaml_float(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _plain)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark is not None else ""


def _problem(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", "not YAML"))
    if isinstance(error, _RepeatedKeyError) or "expected" in problem:  # it quotes keys or signs
        return problem
    # What PyYAML quotes otherwise may be a value, such as that of an unquoted *alias or !tag.
    return problem.partition("'")[0].strip()
