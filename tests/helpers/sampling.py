"""How many examples a property test tries, and which."""

from __future__ import annotations

import os

import hypothesis

NIGHTLY = bool(os.environ.get("NIGHTLY"))

# A change lands by what it does, not by luck: only the nightly run looks for examples never tried,
# and how long an example takes tells how busy the machine is.
hypothesis.settings.register_profile(
    "landing", deadline=None, derandomize=not NIGHTLY, print_blob=True
)
hypothesis.settings.load_profile("landing")


def examples(count: int, *, nightly: int) -> int:
    """Give the number of examples: of an ordinary run, of a brief one (see tox.ini), of a night."""
    if NIGHTLY:
        return nightly
    return count // 10 if os.environ.get("BRIEF") else count
