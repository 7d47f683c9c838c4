"""How Sphinx builds the documentation: Markdown by MyST, and pages whose reference parts come from the code."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

with (HERE.parent / "pyproject.toml").open("rb") as file:
    metadata = tomllib.load(file)["project"]

project = "Muster"
author = "The Muster developers"
release = version = metadata["version"]

extensions = ["myst_parser", "reference"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["attrs_inline", "deflist"]
myst_heading_anchors = 3
nitpicky = True
smartquotes = False

html_theme = "furo"
html_title = f"Muster {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
