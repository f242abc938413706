"""A Django project that builds its settings as those on django-ansible-base do."""
