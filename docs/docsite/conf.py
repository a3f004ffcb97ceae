# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes the documentation site; `make docs` runs it, scripts/docs says how."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

project = "cbops.telemetry"
author = "The cbops.telemetry maintainers"
copyright = f"2026, {author}"  # pylint: disable=redefined-builtin

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
nitpicky = True
language = "en"
pygments_style = "ansible"

html_theme = "alabaster"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "description": "Is telemetry off everywhere, really, and can we prove it?",
    "page_width": "1140px",
    "sidebar_width": "290px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}

#: Where Ansible's own documentation has what antsibull-docs refers to. Its inventory for intersphinx lies in the
#: network, and the site is built without.
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "callback_plugins": "plugins/callback.html",
    "filter_plugins": "plugins/filter.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
}


def ansible_page(app: Any, env: Any, node: Any, content: Any) -> Any:
    """The reference to a page of Ansible's own documentation; None where the label is not one of its."""
    label = node.get("reftarget", "")
    page = ANSIBLE_PAGES.get(label)
    if node.get("reftype") == "envvar" and label.startswith("ANSIBLE_"):
        page = f"reference_appendices/config.html#envvar-{label}"
    elif page is None:
        module = re.fullmatch(r"ansible_collections\.ansible\.builtin\.(\w+_module)", label)
        if module is None:
            return None
        page = f"collections/ansible/builtin/{module[1]}.html"
    return nodes.reference("", "", content, internal=False, refuri=ANSIBLE + page)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", ansible_page)
