"""Finding the name that somebody meant."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaconf_k8s_reload._model.errors import nearest, one_slip_apart

WORDS = st.text("ab_", max_size=5)


def slips(word: str) -> set[str]:
    """Every word that one slip makes of `word`."""
    letters = string.ascii_lowercase[:3] + "_"
    found = {word[:i] + word[i + 1 :] for i in range(len(word))}
    found |= {word[:i] + new + word[i:] for i in range(len(word) + 1) for new in letters}
    found |= {word[:i] + new + word[i + 1 :] for i in range(len(word)) for new in letters}
    found |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return found - {word}


@given(WORDS, WORDS)
def test_one_slip(name: str, known: str) -> None:
    """A letter missing, too many, wrong or swapped is one slip, and nothing else is."""
    assert one_slip_apart(name, known) == (name in slips(known))


@pytest.mark.parametrize("name", ["k8s_mount", "k8s_mountss", "k8s_moumts", "k8s_monuts"])
def test_slips_of_an_option(name: str) -> None:
    """These are slips of an option."""
    assert one_slip_apart(name, "k8s_mounts")


def test_nearest() -> None:
    """The closest name is suggested, and none where nothing is close."""
    assert nearest("mirorr", ["path", "mirror"]) == "mirror"
    assert nearest("zzz", ["path", "mirror"]) is None
