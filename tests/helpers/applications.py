"""Start a program of tests/helpers/programs in a process of its own, and talk with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from support import eventually

PROGRAMS = Path(__file__).parent / "programs"
NOT_ALLOWED = 77  # what a program exits with where the machine does not let it, see `namespaces`


class Application:
    """``programs/application.py``, running with settings on some mounts.

    Args:
        mounts: their paths.
        first: statements that it runs before anything else.
        options: keywords of its ``Dynaconf``.
    """

    def __init__(self, *mounts: Path | str, first: str = "", **options: Any) -> None:
        arguments = [first, json.dumps([str(mount) for mount in mounts]), json.dumps(options)]
        self.process = subprocess.Popen(
            [sys.executable, PROGRAMS / "application.py", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, expression: str) -> Any:
        """Evaluate an expression there; skip the test where the machine does not allow it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(expression + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            status, errors = self.finish()
            if status == NOT_ALLOWED:
                pytest.skip(errors)
            raise AssertionError(f"it ended with {status}: {errors}")
        return json.loads(line)

    def eventually(self, expression: str, expected: object = True, seconds: float = 10.0) -> None:
        """Wait until an expression gives what is expected; fail with its log after the deadline."""
        try:
            eventually(lambda: self(expression) == expected, seconds)
        except AssertionError:
            raise AssertionError(
                f"{expression} is {self(expression)}, not {expected}: {self('logged')}"
            ) from None

    def follows(self, text: str, seconds: float = 10.0) -> None:
        """Wait until KEY has this value, in settings and environment."""
        both = "[settings.get('KEY'), os.environ.get('KEY')]"
        self.eventually(both, [text, text], seconds)

    def finish(self) -> tuple[int, str]:
        """End its input; give its exit status and what it wrote as errors."""
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors

    def __enter__(self) -> Application:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.returncode is None:
            if error is not None:
                self.process.kill()
            status, errors = self.finish()
            if error is None:
                assert (status, errors) == (0, ""), f"it ended with {status}: {errors}"
