"""Manifests of ConfigMaps and Secrets, in YAML or JSON, read as Kubernetes reads them.

No message shows a value. One about YAML gives the number of a line, but not its text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from .volume import MAX_BYTES, Manifest, ManifestError, wrong_key, wrong_name

_TEXT = {"ConfigMap": "data", "Secret": "stringData"}
_BASE64 = {"ConfigMap": "binaryData", "Secret": "data"}
_COMMON = {"apiVersion", "kind", "metadata", "immutable"}
_GO_KINDS = {bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


def parse(text: str, source: str) -> list[Manifest]:
    """Read the ConfigMaps and Secrets of a file; objects of other kinds are skipped.

    Args:
        text: YAML of any number of documents, or JSON; a ``List`` counts as its items.
        source: the name of the file, for messages.

    Raises:
        ManifestError: it is not YAML, an object is invalid, or there is none.
    """
    manifests = [_manifest(item) for item in objects(text, source)]
    if not manifests:
        raise ManifestError(f"{source}: there is no ConfigMap and no Secret in it")
    return manifests


def objects(text: str, source: str) -> list[Mapping[str, Any]]:
    """Give the ConfigMaps and Secrets of a file as they are written.

    Raises:
        ManifestError: it is not YAML, or a document is no object.
    """
    items = [item for document in _documents(text, source) for item in _items(document, source)]
    return [item for item in items if item.get("kind") in _TEXT]


def _items(document: Any, source: str) -> Iterator[Mapping[str, Any]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise ManifestError(f"{source}: a document is no object; it begins with apiVersion: v1")
    if str(document.get("kind")).endswith("List"):
        for item in document.get("items") or ():
            kind = document["kind"].removesuffix("List")
            yield from _items({"kind": kind, **item} if isinstance(item, dict) else item, source)
    elif not document.get("kind"):
        raise ManifestError(f"{source}: Object 'Kind' is missing; write kind: ConfigMap")
    else:
        yield document


def _manifest(item: Mapping[str, Any]) -> Manifest:
    kind = item["kind"]
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    wrong = _wrong_metadata(name)
    fields = {*_COMMON, _TEXT[kind], _BASE64[kind], *(("type",) if kind == "Secret" else ())}
    wrong.extend(
        f'strict decoding error: unknown field "{each}"' for each in item if each not in fields
    )
    texts = _section(item, _TEXT[kind], wrong)
    encoded = _section(item, _BASE64[kind], wrong)
    payload = {
        **_decoded(encoded, _BASE64[kind], wrong),
        **{key: text.encode("utf-8", "replace") for key, text in texts.items()},
    }
    if kind == "ConfigMap":
        for key in texts.keys() & encoded.keys():
            wrong.append(f'data[{key}]: Invalid value: "{key}": duplicate of key in binaryData')
    if sum(map(len, payload.values())) > MAX_BYTES:
        wrong.append(f"[]: Too long: must have at most {MAX_BYTES} bytes")
    if wrong:
        raise ManifestError(_invalid(f'The {kind} "{name or ""}" is invalid', wrong))
    return Manifest(kind, str(name), payload)


def _wrong_metadata(name: Any) -> list[str]:
    if not isinstance(name, str) or not name:
        return ["metadata.name: Required value: name or generateName is required"]
    return [f'metadata.name: Invalid value: "{name}": {what}' for what in wrong_name(name)]


def _section(item: Mapping[str, Any], section: str, wrong: list[str]) -> dict[str, str]:
    values = item.get(section) or {}
    target = f"into Go struct field {item['kind']}.{section} of type"
    if not isinstance(values, dict):
        kind = _GO_KINDS.get(type(values), "string")
        wrong.append(f"{section}: json: cannot unmarshal {kind} {target} map[string]string")
        return {}
    texts: dict[str, str] = {}
    for key, value in values.items():
        wrong.extend(f'{section}[{key}]: Invalid value: "{key}": {w}' for w in wrong_key(key))
        if value is None or isinstance(value, str):
            texts[key] = value or ""
        else:
            kind = _GO_KINDS.get(type(value), "object")
            wrong.append(
                f"{section}[{key}]: json: cannot unmarshal {kind} {target} string; quote it"
            )
    return texts


def _decoded(encoded: Mapping[str, str], section: str, wrong: list[str]) -> dict[str, bytes]:
    decoded: dict[str, bytes] = {}
    for key, value in encoded.items():
        try:
            decoded[key] = base64.b64decode("".join(value.splitlines()), validate=True)
        except (binascii.Error, ValueError):
            wrong.append(f"{section}[{key}]: illegal base64 data")
    return decoded


def _invalid(what: str, wrong: Sequence[str]) -> str:
    return f"{what}: " + (wrong[0] if len(wrong) == 1 else "".join(f"\n* {each}" for each in wrong))


def _documents(text: str, source: str) -> list[Any]:
    if text.lstrip().startswith("{"):  # JSON may be indented with tabs, which YAML forbids
        try:
            return [json.loads(text)]
        except ValueError:
            pass
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        problem = f"{source}: {_place(error)}error parsing: {_problem(error)}"
        raise ManifestError(problem) from None


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
