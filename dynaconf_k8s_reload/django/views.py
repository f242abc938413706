"""The views for probes."""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import get_reloader
from .._dynaconf.django import current_settings
from .._reload.probe import Question, probe


@never_cache  # type: ignore[misc, untyped-decorator, unused-ignore] # reason: Django is untyped
@require_safe  # type: ignore[misc, untyped-decorator, unused-ignore] # reason: as above
def status(_: Any, question: Question = "whole") -> JsonResponse:
    """Answer ``Status.as_dict()``: 200 when healthy, else 503; never a value.

    With ``k8s_restart_503``, also 503 once a restart is required.

    Args:
        question: the answer to ``"live"`` is the same, to ``"ready"`` it is 200.
    """
    code, body = probe(get_reloader(current_settings()), question)
    return JsonResponse(body, status=code)
