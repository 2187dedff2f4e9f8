"""The site, built by Sphinx: `make docs` builds it in Portuguese and in English.

Sphinx, because its search works from a folder of files, without a server or a network, and knows
Portuguese word forms; because `-W` fails the build at the first broken link; and because Material
for MkDocs, the alternative, is no longer maintained (November 2026), and its successor Zensical is
at 0.1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "rdimport"
copyright = "rdimport, MIT license"  # noqa: A001  Sphinx's name for it
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
exclude_patterns = ["pt", "README.md", "_site"]
suppress_warnings = ["misc.highlighting_failure"]
smartquotes = False  # it would turn the two dashes of an option into one
locale_dirs = [str(HERE / "_locale")]

html_theme = "furo"
html_title = "rdimport"
html_show_sphinx = False
html_copy_source = False
html_static_path = [str(HERE / "_static")]
html_css_files = ["site.css"]
templates_path = [str(HERE / "_templates")]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e5f", "color-brand-content": "#0b6e5f"},
    "dark_css_variables": {"color-brand-primary": "#4fd1bd", "color-brand-content": "#4fd1bd"},
}


def _other_language(language: str) -> str:
    if language == "pt_BR":
        return "[English](en/index.html)"
    return "[Português](../index.html)"


def _without_files(_app: object, _name: str, source: list[str]) -> None:
    """Turn links to files that are not pages into text: the site stands alone."""
    text = source[0]
    text = re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!index\.html)[^)]*\)", r"\1", text)
    source[0] = text.replace("](decisions)", "](decisions/README.md)")


def _choose(app: object, config: object) -> None:
    from site_reference import write_all  # noqa: PLC0415  needs the path that is set above

    portuguese = config.language == "pt_BR"  # type: ignore[attr-defined]
    config.html_context = {  # type: ignore[attr-defined]
        "other_language": "English" if portuguese else "Português",
        "other_site": "en/index.html" if portuguese else "../index.html",
    }
    if portuguese:
        config.copyright = "rdimport, licença MIT"  # type: ignore[attr-defined]
    folder = Path(app.srcdir) / "reference"  # type: ignore[attr-defined]
    write_all(folder, "pt-BR" if portuguese else "en")


def setup(app: object) -> None:
    """Entry point called by Sphinx."""
    app.connect("config-inited", _choose)  # type: ignore[attr-defined]
    app.connect("source-read", _without_files)  # type: ignore[attr-defined]
