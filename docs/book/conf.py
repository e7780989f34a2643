"""Sphinx's settings for the site. `glanet.course.tools.site` writes the pages that Sphinx reads."""

import re
import tomllib
from pathlib import Path

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

FOLDER = Path(__file__).parent
PROJECT = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]

project = PROJECT["name"]
release = PROJECT["version"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # stored outputs hold no widgets
nb_render_markdown_format = "myst"  # tables too, which plain CommonMark lacks
nb_code_prompt_show = "Show the answer"  # only answers to predictions are folded
nb_code_prompt_hide = "Hide the answer"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4

default_role = "py:obj"  # a link where the name is documented, else plain code
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "ignore-module-all": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "sphinx_book_theme"
html_title = project
html_favicon = "favicon.svg"
html_static_path = [str(FOLDER / "site.css")]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = html_domain_indices = False  # the search finds names too
html_show_copyright = False
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_theme_options = {
    "footer_content_items": [],
    "navbar_persistent": [],  # its search field is in the sidebar already
    "show_toc_level": 2,
    "use_download_button": False,
}


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before napoleon


def _signature(app, what, name, thing, options, signature, returns):
    """What Sphinx shows of a signature.

    That of a command is annotations for tyro, which nobody can read. A default may be
    ``<factory>`` or ``<function f>``, which Sphinx cannot parse.
    """
    if what == "function" and name.startswith("glanet.cli."):
        return "()", None
    return signature and re.sub(r"<(?:function )?(\w+)[^<>]*>", r"\1", signature), returns


def _docstring(app, what, name, thing, options, lines):
    """Napoleon takes what precedes a colon in the first line of an attribute for its type.

    A comment is now in the first line.
    """
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


def _inline(translator, node):
    """Formulas as MathML: the browser draws it, without scripts or fonts of its own."""
    _write(translator, node, "inline")


def _block(translator, node):
    _write(translator, node, "block")


def _write(translator, node, display):
    translator.body.append(convert(node.astext(), display=display))
    raise SkipNode
