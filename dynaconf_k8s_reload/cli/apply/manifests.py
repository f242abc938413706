"""Manifests of ConfigMaps and Secrets, refused where Kubernetes would; no message shows a value."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .documents import documents
from .volume import MAX_BYTES, Manifest, ManifestError, wrong_key, wrong_name

_TEXT = {"ConfigMap": "data", "Secret": "stringData"}
_BASE64 = {"ConfigMap": "binaryData", "Secret": "data"}
_COMMON = {"apiVersion", "kind", "metadata", "immutable"}
SHOWN = 5  # kinds, of a file that holds others
LONGEST = 63  # letters of a kind's name
_GO_KINDS = {bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


def parse(text: str, source: str) -> list[Manifest]:
    """Read the ConfigMaps and Secrets of a file; objects of other kinds are skipped.

    Args:
        text: YAML of any number of documents, or JSON; a ``List`` counts as its items.
        source: the name of the file, for messages.

    Raises:
        ManifestError: it is not YAML, an object is invalid, or there is none.
    """
    return [_manifest(item) for item in objects(text, source)]


def objects(text: str, source: str) -> list[Mapping[str, Any]]:
    """Give the ConfigMaps and Secrets of a file as they are written.

    Raises:
        ManifestError: it is not YAML, a document is not an object, or none is a ConfigMap or a
            Secret.
    """
    try:
        found = [item for each in documents(text, source) for item in _items(each, source, ())]
    except RecursionError:
        raise ManifestError(f"{source}: it is nested too deeply") from None
    wanted = [item for item in found if item["kind"] in _TEXT]
    if not wanted:
        kinds = sorted({_with_article(item["kind"]) for item in found})
        named = ", ".join(kinds[:SHOWN]) + (", …" if len(kinds) > SHOWN else "")
        raise ManifestError(f"{source}: {named or 'nothing'}, no ConfigMap and no Secret")
    return wanted


def _items(document: Any, source: str, around: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    if document is None:
        return
    if any(document is each for each in around):
        raise ManifestError(f"{source}: error parsing: the value of an anchor contains itself")
    if not isinstance(document, dict):
        raise ManifestError(f"{source}: a document is not an object; it begins with apiVersion: v1")
    kind = document.get("kind")
    if not kind:
        raise ManifestError(f"{source}: Object 'Kind' is missing; write kind: ConfigMap")
    if not isinstance(kind, str):
        what = _GO_KINDS.get(type(kind), "object")
        raise ManifestError(f"{source}: kind: json: cannot unmarshal {what} into type string")
    if not kind.endswith("List"):
        yield document
        return
    items = document.get("items") or ()
    if not isinstance(items, (list, tuple)):
        what = _GO_KINDS.get(type(items), "string")
        raise ManifestError(f"{source}: items: json: cannot unmarshal {what} into type array")
    for item in items:
        typed = item
        if isinstance(item, dict) and "kind" not in item:
            typed = {"kind": kind.removesuffix("List"), **item}
        yield from _items(typed, source, (*around, document))


def _with_article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIO' else 'a'} {kind[:LONGEST]}"


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
