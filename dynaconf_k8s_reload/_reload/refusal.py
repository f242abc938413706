"""Saying why content was refused: the culprit first, then why, then what else changed; no value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dynaconf import ValidationError
from dynaconf.base import Settings

from .. import _dynaconf
from .._dynaconf import Blame, Generation
from .._model.errors import K8sReloadError, MountError, RedactedCause, ReloadRejected
from .._model.names import Names
from .._model.options import Options
from .._model.record import record
from .._model.shown import escaped, few
from .._source.content import Payload
from .commands import told_in_a_line
from .providers import Providers

NAMED_AT_MOST = 10
KEPT = "the last good generation keeps serving until the content is corrected"


class CheckFailedError(K8sReloadError):
    """An ``on_validate`` check raised; its cause is what it raised."""

    def __init__(self, check: Callable[..., Any], error: Exception) -> None:
        super().__init__()
        name = str(getattr(check, "__qualname__", type(check).__name__))
        self.name = name.rpartition("<locals>.")[2]
        self.error = error


@record
class Fault:
    """What is at fault, and why.

    Attributes:
        subject: the culprit, as a person would look for it; empty where it is not known.
        reason: why.
        keys: the variables, settings or settings files at fault.
        mount: the mount that provides them.
        is_function: the culprit is a hook or a check.
    """

    subject: str
    reason: str
    keys: tuple[str, ...] = ()
    mount: str | None = None
    is_function: bool = False


def explain(
    error: BaseException, names: Names, served: Generation, after: Payload | None
) -> ReloadRejected:
    """Make the `ReloadRejected` of an update that failed.

    Args:
        error: what was raised; only this package's own words are repeated.
        names: how the application makes settings of names.
        served: what goes on serving.
        after: what was refused; ``None`` if it could not be read.
    """
    providers, before = Providers.of_generation(served, names, after), served.payload
    changed = [] if after is None else changed_names(before, after)
    fault = _fault(error, providers, changed)
    found = map(providers.of, fault.keys)
    at_fault = {*fault.keys, *(variable.name for variable in found if variable is not None)}
    others = sorted(set(changed) - at_fault)
    mounts = ", ".join(snapshot.mount.path for snapshot in before.snapshots)
    update = f"update of {mounts}"
    if fault.is_function:
        culprit = f"{fault.subject} rejects the {update}"
    elif fault.subject and fault.mount:
        culprit = f"{fault.subject} rejected"
    elif fault.subject:
        culprit = f"{fault.subject} in the {update} rejected"
    else:
        culprit = f"{update} rejected"
    text = f"{culprit}: {fault.reason}; {KEPT}"
    if others:
        which = "other changed keys" if fault.keys else "changed keys"
        text += f"; {which}: {few(others, NAMED_AT_MOST)}"
    rejected = ReloadRejected(text, keys=fault.keys, mount=fault.mount, reason=fault.reason)
    rejected.__cause__ = RedactedCause.of(_raised(error))
    return rejected


def fault_of(error: BaseException, names: Names, options: Options, payload: Payload) -> Fault:
    """Say what is at fault where settings could not be loaded at all.

    Args:
        error: what was raised.
        names: how the application makes settings of names.
        options: its options.
        payload: what the mounts hold.
    """
    is_function = isinstance(error, CheckFailedError) or _dynaconf.culprit_of(error).hook
    held = changed_names(Payload([]), payload) if is_function else ()
    return _fault(error, Providers(names, options, [payload]), held)


def without_values(settings: Settings, step: Callable[[], object]) -> None:
    """Do a step of a first load; what it raises names the culprit, and shows no value.

    Raises:
        BaseException: what dynaconf raises, of the same type, with a text of ours and with the
            attributes of `ReloadRejected` beside its own, where the culprit is a setting, a
            variable or a file. What a hook raises is the application's own and stays as it is.
    """
    explained: Exception | None = None
    try:
        step()
    except Exception as error:  # parsers, hooks and validators raise anything
        explained = _explain_first(error, settings)
        if explained is None:
            raise
    if explained is not None:  # raised out here, so that no frame or context holds the original
        raise told_in_a_line(explained)


def _explain_first(error: Exception, settings: Settings) -> Any:
    if isinstance(error, K8sReloadError):
        return None
    blamed = _dynaconf.culprit_of(error)
    if not (blamed.refused or blamed.variable or blamed.file):
        return None
    generation = _dynaconf.attached(settings).generation
    names = _dynaconf.names(settings)
    fault = _of_blame(blamed, error, Providers.of_generation(generation, names))
    text = f"{fault.subject}: {fault.reason}"
    explained = _same_type(error, text)
    explained.keys, explained.mount, explained.reason = fault.keys, fault.mount, fault.reason
    explained.__cause__ = RedactedCause.of(error)
    return explained


def _same_type(error: Exception, text: str) -> Any:
    """Make an exception of the same type, for ``except`` clauses, with another text."""
    if isinstance(error, ValidationError):
        return type(error)(text, details=[(detail[0], text) for detail in error.details or ()])
    kind = type(error)
    try:
        explained = kind.__new__(kind, text)
        explained.args = (text,)
        says_it = text in str(explained)
    except Exception:  # noqa: BLE001 -- because an error may need what its `__init__` was not given
        says_it = False
    return explained if says_it else ReloadRejected(text)


def changed_names(old: Payload, new: Payload) -> list[str]:
    """The variables and settings files that differ between two payloads."""
    contents: list[dict[str, Any]] = []
    for payload in (old, new):
        named: dict[str, Any] = {name: v.content for name, v in payload.variables.items()}
        for snapshot in payload.snapshots:
            named.update(snapshot.settings_files)
        contents.append(named)
    before, after = contents
    names = {**before, **after}
    return [name for name in names if before.get(name) != after.get(name)]


def _raised(error: BaseException) -> BaseException:
    """Give what an application's check raised, or the error itself."""
    return error.error if isinstance(error, CheckFailedError) else error


def _fault(error: BaseException, providers: Providers, changed: Iterable[str]) -> Fault:
    raised = _raised(error)
    if isinstance(raised, MountError):
        listed = few([f"{key} of {raised.mount}" for key in raised.keys])
        return Fault(
            listed or raised.mount or "", escaped(raised.reason), raised.keys, raised.mount
        )
    blamed = Blame() if isinstance(raised, K8sReloadError) else _dynaconf.culprit_of(raised)
    if blamed.keys or blamed.file or blamed.variable:
        return _of_blame(blamed, raised, providers)
    subject = f"the hook {blamed.hook}" if blamed.hook else ""
    if isinstance(error, CheckFailedError):
        subject = f"the check {error.name}"
    keys = _read_by(raised, providers, changed)
    if isinstance(raised, K8sReloadError):  # such as a check's own `ReloadRejected`
        reason = escaped(str(raised))
        keys, mount = getattr(raised, "keys", ()) or keys, getattr(raised, "mount", None)
    else:
        reason = _dynaconf.told(raised) + (f", which reads {few(keys)}" if keys else "")
        mount = None
    mount = mount or providers.mount_of(keys)
    return Fault(subject, reason, keys, mount, is_function=bool(subject))


def _of_blame(blamed: Blame, error: BaseException, providers: Providers) -> Fault:
    reason = blamed.reason or _dynaconf.told(error)
    if blamed.refused or blamed.variable:
        reason += providers.wanting(blamed.keys)
    if blamed.variable:
        subject = f"{escaped(blamed.variable)} of the environment"
        return Fault(subject, reason, (blamed.variable,))
    if not blamed.file:
        listed = few([providers.named(key) for key in blamed.keys])
        return Fault(listed, reason, blamed.keys, providers.mount_of(blamed.keys))
    payload = providers.payloads[0]
    for variable in payload.variables.values():
        if variable.source == blamed.file:
            subject = f"{escaped(variable.name)} of {variable.mount.path}"
            return Fault(subject, reason, (variable.name,), variable.mount.path)
    file, mount = _in_mount(blamed.file, payload)
    subject = escaped(f"{file} of {mount}" if mount else file)
    if blamed.keys:
        subject = f"{few(blamed.keys)} in {subject}"
    return Fault(subject, reason, blamed.keys or (file,), mount)


def _read_by(error: BaseException, providers: Providers, changed: Iterable[str]) -> tuple[str, ...]:
    """Give the changed settings that the application's code, which raised, reads."""
    words = _dynaconf.words_of(error)
    paths = [providers.names.path(key) for name in changed for key in providers.keys_of(name)]
    return tuple(dict.fromkeys(".".join(path) for path in paths if words.issuperset(path)))


def _in_mount(file: str, payload: Payload) -> tuple[str, str | None]:
    """Give a settings file as the key of a mount, if it lies in one."""
    for snapshot in payload.snapshots:
        path = snapshot.mount.path
        for key in snapshot.settings_files:
            if file.startswith(f"{path}/") and file.endswith(f"/{key}"):
                return key, path
    return file, None
