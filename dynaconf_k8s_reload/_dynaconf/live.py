"""What a settings object does differently once this loader has loaded it."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from dynaconf.base import Settings
from dynaconf.utils.functional import empty

from . import state
from .assembly import called_by_dynaconf, recorded
from .children import child_of
from .defaults import KEYWORDS, put_keyword
from .django_start import note_start
from .environments import alone, switched, touch
from .exports import populate
from .generation import ATTACHMENT, Attachment, attached, attachment_of, is_copy, published
from .loading import execute, imported_loaders, includes
from .values import pin_key

# Stands before a settings class among the bases, see `following`; to type checkers it is one.
Base: Any = Settings if TYPE_CHECKING else object

POPULATE_OBJ = inspect.signature(Settings.populate_obj)


class FollowsMounts(Base):  # type: ignore[misc] # reason: as said above
    """Stands before the class of a settings object; `following` joins the two."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment; for a candidate, as it will be once the candidate is published."""
        attachment: Attachment | None = vars(self).get(ATTACHMENT)
        if attachment is None or attachment.build is None:
            return os.environ
        return attachment.generation.plan.environment

    @environ.setter
    def environ(self, _: object) -> None:
        """Let dynaconf up to 3.2 assign ``os.environ`` at construction, to no effect."""

    @property
    def loaders(self) -> Any:
        """The loaders' modules."""
        return imported_loaders(self) or super().loaders

    def execute_loaders(self, *args: Any, **kwargs: Any) -> None:
        """Run the loaders; a candidate first takes over what code did to the live object."""
        execute(self, super().execute_loaders, *args, **kwargs)

    def exists(self, key: Any, fresh: Any = False) -> Any:  # noqa: FBT002 -- because the signature is dynaconf's
        """Tell whether a key is set; while loading, without evaluating it.

        What code set may be a template that reads what is not loaded yet.
        """
        attachment, name = vars(self).get(ATTACHMENT), str(key).upper()
        build = None if attachment is None else attachment.build
        if build is not None and build.loading is not None:
            store, deleted = build.loading
            if dict.__contains__(store, name):
                return name not in deleted
        return super().exists(key, fresh=fresh)

    def get_environ(self, key: Any, default: Any = None, cast: Any = None) -> Any:
        """Give a variable; while loading, dynaconf asks for each of its own options."""
        attachment = vars(self).get(ATTACHMENT)
        if attachment is not None and attachment.build is not None:
            name, seen = str(key).upper(), attachment.generation.plan.environment
            if not (name in seen.provided or name in seen.pending or name in seen.process):
                return default
        return super().get_environ(key, default, cast)

    def load_includes(self, env: Any, silent: Any, key: Any) -> None:
        """Load the includes, and the mounts again, which beat them as the environment does."""
        includes(self, super().load_includes, env, silent, key)

    def set(  # noqa: PLR0913, PLR0917 -- because the signature is dynaconf's
        self,
        key: Any,
        value: Any,
        loader_identifier: Any = None,
        tomlfy: Any = False,  # noqa: FBT002 -- as above
        dotted_lookup: Any = empty,
        is_secret: Any = None,  # noqa: ARG002 -- as above
        validate: Any = empty,
        merge: Any = empty,
        **kw: Any,
    ) -> None:
        """Set a value; what code sets in the live object is not lost to a publication."""
        if loader_identifier == KEYWORDS.identifier and put_keyword(self, key, value):
            return
        kw |= {"tomlfy": tomlfy, "dotted_lookup": dotted_lookup}
        if merge is not empty:
            kw["merge"] = merge
        if published(self) is None:
            super().set(key, value, loader_identifier, validate=validate, **kw)
            pin_key(self, key)  # the next source may be merged with it, which evaluates it
            return
        if loader_identifier is not None:
            kw |= {"loader_identifier": loader_identifier, "validate": validate}
            if called_by_dynaconf():
                super().set(key, value, **kw)
            else:
                with recorded(self, "set", key, value, **kw):
                    super().set(key, value, **kw)
            return
        if validate is empty:
            validate = self.get("VALIDATE_ON_UPDATE_FOR_DYNACONF")
        # By the class: without lower-case reads dynaconf 3.2 hides a lower-case attribute.
        FollowsMounts._set_by_code(self, key, value, **kw)
        if validate is True:  # outside the lock: a validator is an application's code
            state.get(self, "validators").validate()
        elif validate == "all":
            state.get(self, "validators").validate_all()

    def _set_by_code(self, key: Any, value: Any, **kw: Any) -> None:
        """Set what a reload keeps, in the generation that is published when it is done."""
        kind: Any = type(self)
        if kind.__mro__[2].set is not Settings.set:  # an application's code, so under no lock
            while True:
                attachment = attached(self)
                super().set(key, value, validate=False, **kw)
                if attached(self) is attachment:
                    break
            attachment.generation.owner.touched()
            return
        with attached(self).generation.owner.publishing:
            super().set(key, value, validate=False, **kw)
            attached(self).generation.owner.touched()

    def update(
        self,
        data: Any = None,
        loader_identifier: Any = None,
        tomlfy: Any = False,  # noqa: FBT002 -- because the signature is dynaconf's
        merge: Any = empty,
        **kw: Any,
    ) -> None:
        """Set several values; what has a loader identifier is done to each candidate again."""
        kw["tomlfy"] = tomlfy
        if merge is not empty:
            kw["merge"] = merge
        if loader_identifier is None or called_by_dynaconf():
            super().update(data, loader_identifier, **kw)
            note_start(self, data)
            return
        with recorded(self, "update", data, loader_identifier=loader_identifier, **kw):
            super().update(data, loader_identifier, **kw)

    def setdefault(self, item: Any, default: Any, *args: Any, **kwargs: Any) -> Any:
        """Set a value unless there is one, in each candidate again."""
        if called_by_dynaconf():  # a validator, which will run again by itself
            return super().setdefault(item, default, *args, **kwargs)
        with recorded(self, "setdefault", item, default, *args, **kwargs):
            return super().setdefault(item, default, *args, **kwargs)

    def load_file(self, path: Any = None, *args: Any, **kwargs: Any) -> None:
        """Load a further file, into each candidate again."""
        with recorded(self, "load_file", path, *args, **kwargs):
            super().load_file(path, *args, **kwargs)

    def populate_obj(self, obj: Any, *args: Any, **kwargs: Any) -> None:
        """Copy the settings to an object, which follows from then on."""
        bound = POPULATE_OBJ.bind(self, obj, *args, **kwargs)
        arguments = dict(list(bound.arguments.items())[2:])
        if arguments.get("keys") is not None:
            arguments["keys"] = list(arguments["keys"])  # an iterator could be read only once
        populate(self, super().populate_obj, obj, arguments)

    @contextmanager
    def using_env(
        self,
        env: Any,
        clean: Any = True,  # noqa: FBT002 -- because the signature is dynaconf's
        silent: Any = True,  # noqa: FBT002 -- as above
        filename: Any = None,
    ) -> Iterator[None]:
        """Switch the environment for a while, whatever the mounts switch it to meanwhile."""
        with switched(self, env, clean=clean, silent=silent, filename=filename):
            yield

    using_namespace = using_env

    def setenv(
        self,
        env: Any = None,
        clean: Any = True,  # noqa: FBT002 -- because the signature is dynaconf's
        silent: Any = True,  # noqa: FBT002 -- as above
        filename: Any = None,
    ) -> None:
        """Switch the environment, not in the middle of a reload."""
        with alone(self):
            super().setenv(env, clean=clean, silent=silent, filename=filename)
            touch(self, cleaned=clean)

    namespace = setenv

    def reload(self, *args: Any, **kwargs: Any) -> None:
        """Clean and load again as dynaconf does; the mounts serve the published generation."""
        with alone(self):
            super().reload(*args, **kwargs)
            touch(self, cleaned=True)

    def from_env(self, env: str = "", keep: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 -- because the signature is dynaconf's
        """Give a settings object of another environment, which follows this one's generations."""
        key = f"{env}_{keep}_{kwargs}"  # as dynaconf makes it
        while True:
            attachment = attached(self)
            cache = state.get(self, "env_cache")
            if key in cache:
                return cache[key]
            build = attachment.build
            predecessor = None if build is None else build.predecessors.get(key)
            construct = child_of(attachment, following(Settings), predecessor)
            child = super().from_env(env, keep, _wrapper_class=construct, **kwargs)
            for other in [name for name, cached in list(cache.items()) if cached is child]:
                cache.pop(other, None)
            with attachment.generation.owner.publishing:
                if attachment_of(self) is attachment and key not in cache:
                    cache[key] = child
                    if not is_copy(self):
                        attachment.children[key] = (env, keep, kwargs)
                    return child

    def __copy__(self) -> Any:
        copied = object.__new__(type(self))
        copied.__dict__.update(vars(self))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = memo[id(self)] = object.__new__(type(self))
        held, attachment = vars(self), attachment_of(self)
        anchor = None if attachment is None else attachment.generation.anchor
        if anchor is not None and vars(anchor) is held:  # to which the parts of this one refer
            memo[id(anchor)] = copied
        copied.__dict__.update(copy.deepcopy(held, memo))
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as the class that the application knows, which follows nothing."""
        held = {name: value for name, value in vars(self).items() if name != ATTACHMENT}
        return object.__new__, (type(self).__bases__[1],), held


@cache
def following(base: type[Settings]) -> type[Settings]:
    """Make the class of settings objects of class `base` that follow mounts."""
    if issubclass(base, FollowsMounts):
        return base
    return type(base.__name__, (FollowsMounts, base), {"__module__": base.__module__})
