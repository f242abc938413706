"""Settings that meet Django's own defaults in every way."""

from __future__ import annotations

from typing import Any

from dynaconf import DjangoDynaconf, Validator

SECRET_KEY = "of the project"
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
USE_TZ = True
REDIS_URL = None  # dynaconf takes it for an option of its own
STATIC_URL = "static/"


def single_sign_on(settings: Any) -> dict[str, Any]:
    """Choose what nobody has chosen, which Django has not done at this moment either."""
    chosen: dict[str, Any] = {"dynaconf_merge": True}
    if settings.get("SINGLE_SIGN_ON") and "LOGIN_URL" not in settings:
        chosen["LOGIN_URL"] = "/sso/"
    return chosen


settings = DjangoDynaconf(
    __name__,
    validators=[
        Validator("TIME_ZONE", default="Europe/Berlin"),
        Validator(
            "MONTH_DAY_FORMAT", default="m", when=Validator("SINGLE_SIGN_ON", must_exist=True)
        ),
        Validator(
            "DEFAULT_CHARSET", must_exist=True, when=Validator("NEEDS_CHARSET", must_exist=True)
        ),
        Validator("USE_TZ", eq=True) | Validator("USE_I18N", eq=True),
    ],
    post_hooks=[single_sign_on],
)
