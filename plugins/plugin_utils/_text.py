# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that others have written, made safe to show: on a terminal, in a log of a pipeline, in Markdown.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import json
import re

#: How a pipeline's runner is told what to do from within a line (Azure Pipelines, older GitHub Actions, TeamCity).
_COMMAND = re.compile(r"##(?=\w*\[)")
#: Whatever is markup, makes a link or a mention (github.com/github/markup, CommonMark), or ends a cell.
_MARKUP = re.compile(r"[&<>\"'`*_~|\\\[\]()!#@:.]")


def visible(text: str) -> str:
    """One line in which nothing acts or hides: what is not printable is written out (``\\u001b``, ``\\u202e``)."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _written(ord(char)) for char in text)
    return _COMMAND.sub(r"#\\u0023", text) if "##" in text else text


def _written(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible_json(text: str) -> str:
    """JSON in which the same is written out; to a program that reads it, it is the same document."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
    return _COMMAND.sub(r"#\\u0023", text) if "##" in text else text


def markdown_cell(text: str) -> str:
    """Text that stays within its cell of a table, is no markup, no link, and calls nobody by ``@``."""
    if not text:
        return "-"
    return f"<code>{_MARKUP.sub(lambda match: f'&#{ord(match[0])};', visible(text))}</code>"
