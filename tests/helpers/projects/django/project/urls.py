"""Views that show what their settings are."""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core import mail
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_protect

from dynaconf_k8s_reload import get_reloader


def serve(request: Any) -> JsonResponse:
    """Read two keys that change together, in one snapshot; and which process this is."""
    snapshot = get_reloader(settings).snapshot()
    pair = [snapshot.FIRST, snapshot.SECOND]
    return JsonResponse({"pid": os.getpid(), "pair": pair, "extra": snapshot.get("EXTRA")})


def flags(request: Any) -> JsonResponse:
    """Read what every Django has, live."""
    names = ["DEBUG", "APPEND_SLASH", "SESSION_COOKIE_NAME"]
    return JsonResponse({name: getattr(settings, name) for name in names})


def session(request: Any) -> HttpResponse:
    """Set a session's cookie."""
    request.session["visited"] = True
    return HttpResponse("visited")


def email(request: Any) -> HttpResponse:
    """Say where mail would go."""
    connection: Any = mail.get_connection("django.core.mail.backends.smtp.EmailBackend")
    return HttpResponse(f"{connection.host}:{connection.port}")


@csrf_protect  # type: ignore[misc, untyped-decorator, unused-ignore] # reason: Django is untyped
def post(request: Any) -> HttpResponse:
    """Accept what passes the check of the origin."""
    return HttpResponse("accepted")


def fail(request: Any) -> HttpResponse:
    """Raise; with DEBUG, Django's own page answers."""
    raise RuntimeError("on purpose")


def page(request: Any) -> HttpResponse:
    """Read Django REST framework's settings."""
    from rest_framework.settings import api_settings

    return HttpResponse(json.dumps([api_settings.PAGE_SIZE, api_settings.DEFAULT_THROTTLE_RATES]))


urlpatterns = [
    path("", serve),
    path("flags/", flags),
    path("session/", session),
    path("email/", email),
    path("post/", post),
    path("fail/", fail),
    path("page/", page),
    path("pinned/", include("project.pinned")),
    path("-/config/", include("dynaconf_k8s_reload.django.urls")),
    path("-/config", include("dynaconf_k8s_reload.django.urls")),
]
