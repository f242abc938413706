"""Writing an environment: all of several variables, or none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from .process import texts_of


def put(mapping: MutableMapping[str, str], name: str, value: str | None) -> None:
    """Set a name, or remove it where there is no value."""
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


def put_all(
    environ: MutableMapping[str, str], values: Mapping[str, str | None]
) -> BaseException | None:
    """Write variables, and last, in one go, those that move the C array; or undo it all.

    Returns:
        What interrupted it, such as what a signal handler has raised; ``None`` if nothing did.
    """
    now = texts_of(environ, values)
    differing = {name: text for name, text in values.items() if text != now.get(name)}
    moving = {name for name, text in differing.items() if text is None or name not in now}
    order = sorted(differing, key=moving.__contains__)
    try:
        for name in order:
            put(environ, name, differing[name])
    except BaseException as error:  # noqa: BLE001 -- because it is given to the caller, which raises it
        _undo(environ, reversed(order), now)
        return error
    return None


def _undo(
    environ: MutableMapping[str, str], names: Iterable[str], before: Mapping[str, str]
) -> None:
    for name in names:
        try:
            if environ.get(name) != before.get(name):
                put(environ, name, before.get(name))
        except Exception:  # noqa: BLE001, S112 -- because the others are put back all the same, and the first error is what is raised
            continue
