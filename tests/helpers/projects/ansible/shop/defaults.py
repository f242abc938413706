"""What the project has by itself."""

SECRET_KEY = "of the project"
ROOT_URLCONF = "shop.urls"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "ansible_base.lib.utils",
    "dynaconf_k8s_reload.django",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
POOL_SIZE = 4
FLAGS = {"FEATURE_CART_ENABLED": [{"condition": "boolean", "value": False}]}
