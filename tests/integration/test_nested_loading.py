"""Nested names folded into their parents are what dynaconf makes of them, one by one."""

from __future__ import annotations

import copy
import inspect
import os
import re
from types import SimpleNamespace
from typing import Any
from unittest import mock

from dynaconf import Dynaconf
from dynaconf.loaders import env_loader
from dynaconf.loaders.base import SourceMetadata
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from dynaconf_k8s_reload._dynaconf import state, variables
from dynaconf_k8s_reload._dynaconf.generation import ATTACHMENT, Attachment, Generation
from dynaconf_k8s_reload._dynaconf.variables import Place, Text
from sampling import examples

ADDRESS = re.compile(r"on \d+")  # of a merge that dynaconf has left unapplied
EXAMPLES = examples(200, nightly=100_000)

PARTS = st.sampled_from(["x", "y", "X", "z", "0", "items", "a", "x-y", "", "dynaconf_merge"])
NAMES = st.builds(
    lambda top, parts: top + "".join(separator + part for separator, part in parts),
    st.sampled_from(["A", "A", "A", "B", "a", "_B", "SETTINGS_MODULE"]),
    st.lists(
        st.tuples(st.sampled_from(["__", "__", "__", ".", "___", "--", "[", "_"]), PARTS),
        max_size=4,
    ),
)
PLAIN = ["1", "2", "0", "true", "text", "other text", "", "1.5", "1979-05-27"]
OTHER = [
    *("[1, 2]", "[]", "[1, {a=1}]", "{a=1}", "{x={y=1}, z=[3]}", "{}", "[[1], [2, {b=[]}]]"),
    *("@format {this.B}", "@format {this.A.x}", "@format {env[HOME]}", "@jinja {{ this.NOPE }}"),
    *("@merge 4", "@merge {x=2}", "@merge [3]", "@merge_unique [1]", "@del", "@insert 0 1"),
    *("@int 3", "'@int 3'", "['@int 3']", "@none", "dynaconf_merge", "[1, 'dynaconf_merge']"),
    *("{x=2, dynaconf_merge=true}", "@json {'x': 5}", "@str @int 3"),
]
TEXTS = st.sampled_from([*PLAIN, *PLAIN, *PLAIN, *OTHER])
BATCHES = st.lists(st.dictionaries(NAMES, TEXTS, max_size=8), min_size=1, max_size=3)
KEYS = st.sampled_from(["x", "y", "X", "z", "0", "items", "a b", "a", "x_y", "dynaconf_merge", 3])
VALUES = st.recursive(
    st.sampled_from([1, 2, 0, None, True, "text", "@int 4", "@format {this.B}", b"b", (1, [2])]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
BENEATH = st.fixed_dictionaries({}, optional={"A": VALUES, "B": st.sampled_from([1, [1], "b"])})
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "nested_separator": st.sampled_from(["__", "--", False]),
        "index_separator": st.sampled_from(["___", "--"]),
        "dotted_lookup": st.sampled_from([True, False]),
        "merge_enabled": st.just(True),
        "ignore_unknown_envvars": st.just(True),
    },
)


def laid_out(value: Any) -> Any:
    """A value with the types of all that is in it, in its order."""
    if isinstance(value, dict):
        # Up to 3.2 what dynaconf notes of a template may end up in a list's tables beside it.
        is_note = state.UP_TO_3_2 and type(value) is not dict
        items = [
            (key, laid_out(item))
            for key, item in dict.items(value)
            if not (is_note and str(key).startswith("raw_"))
        ]
        return (type(value).__name__, items)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [laid_out(item) for item in tuple.__iter__(tuple(value))])
    if type(value).__module__.startswith("dynaconf"):
        return (
            type(value).__name__.replace("PinnedLazy", "Lazy"),
            ADDRESS.sub("", str(vars(value).get("value"))),
        )
    return (type(value).__name__, ADDRESS.sub("", value) if type(value) is str else value)


def make(beneath: dict[str, Any], options: dict[str, Any]) -> Any:
    """A settings object that has loaded nothing but its keywords."""
    settings = state.unwrap(
        Dynaconf(envvar_prefix="MYAPP", loaders=[], **copy.deepcopy(beneath), **options)
    )
    plan: Any = SimpleNamespace(environment=os.environ)
    nothing: Any = None
    vars(settings)[ATTACHMENT] = Attachment(
        Generation(nothing, nothing, nothing, plan, anchor=settings)
    )
    return settings


def by_dynaconf(settings: Any, batch: dict[str, str]) -> None:
    """Load variables as dynaconf does."""
    environment = {f"MYAPP_{name}": text for name, text in batch.items()}
    with mock.patch.object(env_loader, "environ", environment):
        # dynaconf's own, where another test has had this package note its calls
        load = inspect.unwrap(env_loader.load_from_env)
        load(settings, "MYAPP", identifier="env_global")


def by_us(settings: Any, batch: dict[str, str]) -> None:
    """Load variables as this package does."""
    source = SourceMetadata("env_global", "MYAPP", "global")
    places = [Place(name, source) for name in batch]
    variables._set_all(settings, places, [Text(text) for text in batch.values()], None)


def outcome(load: Any, beneath: Any, options: Any, batches: list[dict[str, str]]) -> Any:
    """What there is afterwards, with types, order and history; or how it failed."""
    try:
        settings = make(beneath, options)
        for batch in batches:
            load(settings, batch)
    except Exception as error:
        return type(error)
    store, held = state.get(settings, "store"), vars(settings)
    history = state.get(settings, "loaded_by_loaders")
    return {
        "store": laid_out(store),
        "attributes": {name: laid_out(held[name]) for name in dict.keys(store) if name in held},
        "deleted": state.get(settings, "deleted"),
        "history": [(source, [*loaded]) for source, loaded in history.items()],
    }


@given(BENEATH, BATCHES, OPTIONS)
@profile(max_examples=EXAMPLES)
@example({"A": {"x": {"z": 1}, "y": 5}}, [{"A__X__y": "2", "A__y": "3"}], {})
@example({"A": {"y": 1, "x": {"y": 1}}}, [{"A__z": "1", "A__x__y": "2"}], {})
@example({"A": {3: 1}}, [{"A__x": "1"}], {})  # a key that is no string
@example({"A": {"x": {"y": 1, "Y": 2}}}, [{"A__x__z": "1"}], {})  # one key in two spellings
@example({"A": {"a b": 1}}, [{"A__a_b": "2", "A__A_b": "3"}], {})
@example({"A": {"x": "@format {this.B}"}, "B": 1}, [{"A__y": "1", "A__z": "2"}], {})
@example({"B": 1}, [{"A__x": "@format {this.B}", "A__y": "1"}], {})
@example({"A": {"x": 1}, "B": 1}, [{"A__x": "@format {this.B}", "A__z__y": "@format b"}], {})
@example({"A": {"x": 1}}, [{"A__z__y": "@format {env[HOME]}", "A__z__w": "1"}], {})
@example({"A": {"x": 1}, "B": [1]}, [{"A__y": "@get B", "A__x": "@get B"}], {})
@example({"A": {"x": [1], "y": {}}}, [{"A__x__y": "1", "A__x": "2", "A__y": "{z=1}"}], {})
@example({}, [{"A__x__y": "[1, {a=[2]}]", "A__z": "1"}, {"A__x__z": "2", "A__y": "[]"}], {})
@example({}, [{"A___0": "1", "A___2": "0", "A___1__x": "3"}], {"index_separator": "___"})
@example({"A": {"x": [1]}}, [{"A__x": "[2]", "B": "[3]", "B__x": "4"}], {"merge_enabled": True})
@example({"A": {"x": 1}}, [{"A__y": "2", "B": "[3]", "C": "{x=1}"}], {"dynaboxify": False})
@example({"A": {"x": {"z": [1]}}}, [{"A__y": "1"}], {})  # whose list that makes another one
@example({}, [{"A": "{x=[1]}", "B": "[1, {x=[2]}]", "C__x": "{y=[[1]]}"}], {})
@example({"A": 1}, [{"A": "@json {'x'", "A__x": "1"}], {"ignore_unknown_envvars": True})
@example({"B": 1, "A": "@format {this.B}"}, [{"A": "[1]", "B": "2"}, {"A": "3"}], {})
@example({"a b": 1, "A": 2}, [{"A_B__x": "1", "A__x": "2", "C b": "3"}], {})
@example({"A": {"x": [{"y": "@format {this.B}"}]}, "B": 1}, [{"A__z": "1"}], {})
@example({}, [{"A__X.x": "1", "A__x.y": "2", "a__X.z": "3"}], {"nested_separator": "--"})
@example({}, [{"A__x": "[[1], [{b=1}]]", "A__y": "@format {this.A.x}", "A__z": "1"}], {})
def test_folding_is_what_dynaconf_does(
    beneath: dict[str, Any], batches: list[dict[str, str]], options: dict[str, Any]
) -> None:
    """Values, types, order and history are those of dynaconf's own loader of the environment."""
    expected = outcome(by_dynaconf, beneath, options, batches)
    found = outcome(by_us, beneath, options, batches)
    # dynaconf 3.2 may put the note of a template into the list that this shows.
    is_endless = state.UP_TO_3_2 and expected is RecursionError
    assert found == expected or (is_endless and isinstance(found, dict))
