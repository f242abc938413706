"""A Django app that keeps a project up to date with its mounted ConfigMap.

Add ``"dynaconf_k8s_reload.django"`` to ``INSTALLED_APPS`` of settings that are loaded with
``DjangoDynaconf(__name__, loaders=["dynaconf_k8s_reload.loader"])``.
"""
