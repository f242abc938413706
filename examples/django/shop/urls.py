"""Two views on the settings, and the status for a probe."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.http import require_safe

from dynaconf_k8s_reload import get_reloader


@require_safe  # type: ignore[misc, untyped-decorator, unused-ignore] # reason: Django is untyped
def banner(_: HttpRequest) -> JsonResponse:
    """Answer a single setting, as any Django code reads it."""
    return JsonResponse({"banner": settings.BANNER})


@require_safe  # type: ignore[misc, untyped-decorator, unused-ignore] # reason: as above
def price(_: HttpRequest) -> JsonResponse:
    """Answer what two settings make together: both are of one generation."""
    now = get_reloader(settings).snapshot()
    return JsonResponse({"price": now.PRICE * (100 - now.DISCOUNT) / 100})


urlpatterns = [
    path("banner", banner),
    path("price", price),
    path("-/config", include("dynaconf_k8s_reload.django.urls")),
]
