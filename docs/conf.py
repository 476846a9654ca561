"""Configuration of the manual. `make docs` builds it; Read the Docs does, too."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

import wamr

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
REPOSITORY = os.environ.get("WAMR_REPOSITORY", "")  # the address of the checkout, as a web page

project = "wamr"
author = "the authors of wamr"
project_copyright = author
version = release = wamr.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
]
exclude_patterns = ["_build"]
default_role = "code"
nitpicky = True  # warns of each unknown reference; `make docs` makes warnings errors
# Names in signatures that are no part of this manual: without network, they can't be looked up.
nitpick_ignore_regex = [
    ("py:class", r"(?:.*\.)?_\w+"),  # private
    ("py:class", r"wamr\.(?:\w+\.)*_\w+\..*"),
    ("py:class", r"(?:os|enum|subprocess|collections\.abc)\.\w+"),  # the standard library
    ("py:class", r"PathLike|Path|TracebackType|WasiBase|HostFunction|Function|State|Kind"),
    (
        "py:class",
        r"Callback|CallbackWithEnv|Finalizer",
    ),  # of the C API
    ("py:class", r"(?:tuple|dict|Literal)\[.*"),  # pieces of a longer annotation
]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]  # drawn by GitHub, too
mermaid_version = "11.12.0"
mermaid_dark_theme = "default"  # style.css gives the diagrams a light background
mermaid_fullscreen = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "add_note, with_traceback",  # of all exceptions
}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "wamr"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_search_scorer = str(DOCS / "scorer.js")
if REPOSITORY:
    html_theme_options = {
        "source_repository": f"{REPOSITORY}/",
        "source_branch": "main",
        "source_directory": "docs/",
    }
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


class RepositoryLinks(SphinxTransform):
    """Change links to files that are no pages of the manual into links to the repository.

    Where its address is not known, the text of such a link stays, without the link.
    """

    default_priority = 5  # before MyST resolves links

    def apply(self, **_: object) -> None:
        """Rewrite the links of one page."""
        folder = Path(self.document["source"]).resolve().parent
        for node in list(self.document.findall(nodes.Element)):
            target = node.get("reftarget") or node.get("refuri") or ""
            file = self._outside(folder, target.partition("#")[0])
            if file is None:
                continue
            new: nodes.Element = nodes.inline()
            if REPOSITORY:
                kind = "tree" if file.is_dir() else "blob"
                path = file.relative_to(ROOT).as_posix()
                new = nodes.reference("", "", refuri=f"{REPOSITORY}/{kind}/main/{path}")
            new += node.children
            node.replace_self(new)

    @staticmethod
    def _outside(folder: Path, target: str) -> Path | None:
        """Return the file of the checkout that a link leads to, if it is no page."""
        if not target or re.match(r"[a-z]+:", target):
            return None
        file = (folder / target).resolve()
        if target.startswith("/"):  # MyST's name of a page outside docs/
            file = file.with_suffix(".md")
        page = file.is_relative_to(DOCS) and file.suffix == ".md"
        return file if file.is_relative_to(ROOT) and file.exists() and not page else None


def list_folder(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put the pages of a folder into the navigation, below the folder's README."""
    if name.endswith("/README"):
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def show_samples(_app: Sphinx, name: str, source: list[str]) -> None:
    """Show the list of samples, whose links are relative to their folder."""
    if name == "samples":
        text = (ROOT / "samples" / "README.md").read_text(encoding="utf-8")
        text = re.sub(r"\]\((?![#.]|https?:)", "](../samples/", text)
        source[0] = text.replace("](../docs/", "](")


def format_prototype(
    _app: Sphinx, _kind: str, name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Show the prototypes at the beginning of the C API's docstrings as C."""
    if name.startswith("wamr.ffi.") and lines and lines[0].endswith(");"):
        lines[:] = [".. code-block:: c", "", f"   {lines[0]}", "", *map(str.strip, lines[1:]), ""]


def note_external_links(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Remember a page's links to other sites."""
    links: dict[str, set[str]] = app.env.__dict__.setdefault("wamr_links", {})
    for node in doctree.findall(nodes.reference):
        if node.get("refuri", "").startswith(("http://", "https://")):
            links.setdefault(node["refuri"].partition("#")[0], set()).add(name)


def list_external_links(app: Sphinx, error: Exception | None) -> None:
    """Write the links to other sites into a file: a build makes no connections, and checks none."""
    if error is None and app.builder.format == "html":
        links = getattr(app.env, "wamr_links", {})
        lines = [f"{link} {' '.join(sorted(pages))}\n" for link, pages in sorted(links.items())]
        if lines:
            (Path(app.outdir) / "external-links.txt").write_text("".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register what this file adds."""
    app.add_transform(RepositoryLinks)
    app.connect("source-read", list_folder)
    app.connect("source-read", show_samples)
    app.connect("autodoc-process-docstring", format_prototype)
    app.connect("doctree-resolved", note_external_links)
    app.connect("build-finished", list_external_links)
