"""A Django app that has a project follow its mounted ConfigMap.

Add ``"dynaconf_k8s_reload.django"`` to ``INSTALLED_APPS``, over settings that are loaded with
``DjangoDynaconf(__name__, loaders=["dynaconf_k8s_reload.loader"])``.
"""
