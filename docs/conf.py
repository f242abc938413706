# noqa: INP001 -- because it is Sphinx's own file, not a package
"""How Sphinx builds these pages: ``./test.sh -e docs``."""

from __future__ import annotations

import os
from importlib.metadata import version as version_of
from typing import Any

project = "dynaconf-k8s-reload"
author = "The dynaconf-k8s-reload authors"
project_copyright = author
release = version = version_of(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxext.opengraph",
]
exclude_patterns = ["_build", "recordings"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"  # what stands in single backticks in a docstring is a name: linked if known
add_module_names = False
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # such as 0o644, as the code has it
autodoc_default_options = {"members": True}
napoleon_use_ivar = True

# Names that no page describes: the standard library's, other packages' and private ones.
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:class", r"(collections|contextlib|datetime|os|pathlib|types|typing)\..*"),
    ("py:class", r"(datetime|Function|Path|PathLike|Pin|Stream|TracebackType)"),
    ("py:class", r"(blinker|dynaconf|flask|prometheus_client|sansio)\..*"),
    ("py:class", r"dynaconf_k8s_reload\._(model|reload|environ|watch)\.\w+(\.\w+)?"),
]

html_theme = "furo"
pygments_dark_style = "a11y-dark"  # the default underlines modules like links
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = html_show_sourcelink = True
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

# A button copies what is typed: neither the prompt nor what the command prints.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_copy_empty_lines = False  # where what is typed stands apart

# Where the pages are served is known to who serves them; a preview needs the whole address.
ogp_site_url = os.environ.get("READTHEDOCS_CANONICAL_URL", "/")
ogp_image = "_static/social.png"
ogp_image_alt = "Edit the ConfigMap. The running process follows."
ogp_social_cards = {"enable": False}


def setup(app: Any) -> None:
    """Leave out the comments, in which a page has what only its test needs."""
    app.connect("doctree-read", _without_comments)


def _without_comments(_: Any, page: Any) -> None:
    for node in list(page.findall()):
        if node.tagname == "comment" or (
            node.tagname == "raw" and node.astext().startswith("<!--")
        ):
            node.parent.remove(node)
