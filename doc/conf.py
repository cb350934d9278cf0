"""Sphinx's settings for `make site`: the pages of doc/, and the READMEs of experiments and strategies.

The source is the repository itself, so that a link between two pages is the same here and on a forge.
"""

project = "Real-time ML serving, sync or async?"
html_title = "sync or async?"
root_doc = "doc/index"
extensions = ["myst_parser"]
include_patterns = ["CONTRIBUTING.md", "CHANGELOG.md", "doc/*.md"]
include_patterns += ["benchmark/experiments/*/README.md", "strategies/*/README.md"]
# Nothing in these is a page; Sphinx would walk through them all the same.
exclude_patterns = [
    ".*",
    "*.egg-info",
    "**/__pycache__",
    "async",
    "contract",
    "doc/recorded",
    "docker",
    "feature_store",
]
exclude_patterns += ["requirements", "results", "run", "sync", "tests"]

nitpicky = True
myst_enable_extensions = ["strikethrough"]  # what is INVALID
suppress_warnings = ["myst.strikethrough"]  # it warns that other formats than HTML have none
myst_heading_anchors = 3  # a link such as measurement.md#a-gate-for-pull-requests leads to a heading

html_theme = "furo"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("accessible.js", {"defer": "defer"})]
html_additional_pages = {"index": "front.html"}  # leads on to doc/index.html
