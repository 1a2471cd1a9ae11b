"""How Sphinx builds the documentation."""

import sys
from pathlib import Path

import emotag

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from command_reference import command_reference  # noqa: E402
from default_model import default_model_figures  # noqa: E402

project = "emotag"
author = "The emotag developers"
copyright = "2026, the emotag developers"
version = release = emotag.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
# It would make one dash of the two of an option.
smartquotes = False
# Single backticks in a docstring name something of Python.
default_role = "py:obj"

html_theme = "furo"
html_title = f"emotag {release}"
html_static_path = ["_static"]
html_css_files = ["emotag.css"]
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["deflist", "substitution"]
myst_substitutions = {"default_model_figures": default_model_figures()}
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# The docstrings say the types, in words.
autodoc_typehints = "none"
numpydoc_show_class_members = False
# Shapes, types and order of every section; what is left out is a matter of taste.
numpydoc_validation_checks = {
    "GL01",
    "GL03",
    "GL06",
    "GL07",
    "GL08",
    "PR01",
    "PR02",
    "PR03",
    "PR04",
    "PR10",
    "SS03",
    "SS05",
    "YD01",
}
# A dataclass has its fields under Attributes, and an error its parent's arguments.
numpydoc_validation_exclude = {
    rf"\.{name}$"
    for name in (
        "Bundle",
        "Comparison",
        "Epoch",
        "Extraction",
        "Figure",
        "ModelFacts",
        "Predictions",
        "Report",
        "Ratings",
        "Row",
        "SkippedPhoto",
        "UnreadablePhoto",
    )
}

# Made anew by every build, so that it is always that of the program.
(DOCS / "commands.md").write_text(command_reference(), encoding="utf-8")


def _refuse_gaps() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    missing = [name for name in emotag.__all__ if f":: emotag.{name}\n" not in page]
    if missing:
        raise SystemExit(f"docs/api.md lacks {', '.join(missing)}")


_refuse_gaps()
