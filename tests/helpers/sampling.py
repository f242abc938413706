"""How many examples a property test tries, and which."""

from __future__ import annotations

import os

import hypothesis

NIGHTLY = bool(os.environ.get("NIGHTLY"))

# Whether a change lands must not depend on luck: only the nightly run tries new examples. There is
# no deadline, since how long an example takes only tells how busy the machine is.
hypothesis.settings.register_profile(
    "landing", deadline=None, derandomize=not NIGHTLY, print_blob=True
)
hypothesis.settings.load_profile("landing")


def examples(count: int, *, nightly: int) -> int:
    """Give the number of examples: in an ordinary run, a brief one (see tox.ini), or a nightly."""
    if NIGHTLY:
        return nightly
    return count // 10 if os.environ.get("BRIEF") else count
