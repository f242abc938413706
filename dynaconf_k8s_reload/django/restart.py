"""The settings that Django reads once, so that a change takes effect only with a restart."""

from __future__ import annotations

READ_ONCE = frozenset(
    {
        # at start
        *("INSTALLED_APPS", "MIDDLEWARE", "ROOT_URLCONF", "WSGI_APPLICATION"),
        *("LOGGING_CONFIG", "DEFAULT_EXCEPTION_REPORTER"),
        *("DEFAULT_EXCEPTION_REPORTER_FILTER", "K8S_SEND_SETTING_CHANGED"),
        # into handlers that keep what they have made
        *("DATABASES", "DATABASE_ROUTERS", "CACHES", "STORAGES", "TEMPLATES", "FORM_RENDERER"),
        *("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE", "SERIALIZATION_MODULES"),
        *("AUTH_PASSWORD_VALIDATORS", "SESSION_FILE_PATH"),
        # into model classes and form fields
        *("AUTH_USER_MODEL", "ABSOLUTE_URL_OVERRIDES", "DEFAULT_AUTO_FIELD"),
        *("DEFAULT_TABLESPACE", "DEFAULT_INDEX_TABLESPACE"),
        *("USE_BLANK_CHOICE_DASH", "FORMS_URLFIELD_ASSUME_HTTPS"),
        # into the middleware that stands in the chain
        *("SESSION_ENGINE", "SECURE_CONTENT_TYPE_NOSNIFF", "SECURE_CROSS_ORIGIN_OPENER_POLICY"),
        *("SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD", "SECURE_HSTS_SECONDS"),
        *("SECURE_REDIRECT_EXEMPT", "SECURE_REFERRER_POLICY"),
        *("SECURE_SSL_HOST", "SECURE_SSL_REDIRECT"),
        *("CACHE_MIDDLEWARE_ALIAS", "CACHE_MIDDLEWARE_KEY_PREFIX", "CACHE_MIDDLEWARE_SECONDS"),
        # languages, formats and time
        *("LANGUAGE_CODE", "LOCALE_PATHS", "USE_I18N", "USE_L10N", "TIME_ZONE", "USE_TZ"),
        *("USE_DEPRECATED_PYTZ", "FORMAT_MODULE_PATH", "FIRST_DAY_OF_WEEK"),
        *("DATE_FORMAT", "DATETIME_FORMAT", "TIME_FORMAT", "MONTH_DAY_FORMAT"),
        *("SHORT_DATE_FORMAT", "SHORT_DATETIME_FORMAT", "YEAR_MONTH_FORMAT"),
        *("DATE_INPUT_FORMATS", "DATETIME_INPUT_FORMATS", "TIME_INPUT_FORMATS"),
        *("DECIMAL_SEPARATOR", "NUMBER_GROUPING", "THOUSAND_SEPARATOR"),
        # static files
        *("STATIC_ROOT", "STATIC_URL", "STATICFILES_DIRS", "STATICFILES_FINDERS"),
        # libraries and data of GeoDjango
        *("GDAL_LIBRARY_PATH", "GEOS_LIBRARY_PATH", "SPATIALITE_LIBRARY_PATH"),
        *("GEOIP_CITY", "GEOIP_COUNTRY", "GEOIP_PATH", "POSTGIS_VERSION"),
    }
)

# Django itself drops what it made of these when it receives `setting_changed`.
READ_UNTIL_SIGNAL = frozenset(
    {
        *("FILE_UPLOAD_DIRECTORY_PERMISSIONS", "FILE_UPLOAD_PERMISSIONS"),
        *("LANGUAGES", "MEDIA_ROOT", "MEDIA_URL", "MESSAGE_TAGS", "PASSWORD_HASHERS", "TASKS"),
    }
)


def restart_keys(*, signalled: bool) -> tuple[str, ...]:
    """Give the settings that need a restart, with or without ``setting_changed`` being sent."""
    return tuple(sorted(READ_ONCE if signalled else READ_ONCE | READ_UNTIL_SIGNAL))
