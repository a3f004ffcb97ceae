# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service said last, fit for a message: without what may be secret, visible, and short.

Private to this collection. Runs on the control node. A JVM that does not start quotes its options, and those hold
passwords; so values go and names stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

LINES = 8
LENGTH = 200
_FLAG = "com.cloudbees.analytics.gatherer.Sender.disabled"
_VALUE = r"(?:\"[^\"]*\"?|'[^']*'?|\S+)"
_HIDDEN = "***"
_CUTS = (
    # A header, to its end: "Authorization: Basic …".
    (re.compile(r"(?i)(\b(?:proxy-)?(?:authorization|cookie|set-cookie)\s*[:=]).*"), r"\1 " + _HIDDEN),
    # Any system property but ours; any option or variable whose name says that it is secret.
    (re.compile(r"(-D(?!%s\b)[^\s=]+=)%s" % (re.escape(_FLAG), _VALUE)), r"\1" + _HIDDEN),
    (
        re.compile(
            r"(?i)([\w.-]*(?:pass|pwd|secret|token|credential|grant|api.?key|private.?key|auth)[\w.-]*[\"']?"
            r"(?:\s*[=:]\s*|\s+is\s+|\s+))%s" % _VALUE
        ),
        r"\1" + _HIDDEN,
    ),
    (re.compile(r"(\b[A-Za-z][\w+.-]*://)[^\s/@]+@"), r"\1" + _HIDDEN + "@"),
    # Whatever looks like a key or a token: long, and no word, path or class name.
    (re.compile(r"(?<![\w/.+=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{24,}(?![\w/.])"), _HIDDEN),
    (re.compile(r"(?<![\w/.+=-])[A-Za-z0-9+=/]{40,}"), _HIDDEN),
)


#: The same, coarser, for the host's own sed: at -vvv Ansible prints what a command there wrote.
_VALUE_THERE = "(\"[^\"]*\"?|'[^']*'?|[^ ]+)"
_THERE = (
    "s/((authorization|cookie)[ :=]+).*/\\1***/I",
    rf"s/(-D[^ =]+=){_VALUE_THERE}/\1***/g",
    "s/([A-Za-z0-9_.-]*(pass|pwd|secret|token|credential|grant|key|auth)[A-Za-z0-9_.-]*[\"']?([=:][=: ]*| is | +))"
    rf"{_VALUE_THERE}/\1***/Ig",
    "s#([A-Za-z][A-Za-z0-9+.-]*://)[^ /@]+@#\\1***@#g",
    "s/[A-Za-z0-9+=_-]{32,}/***/g",
)


def command(unit: str, quote: Callable[[str], str]) -> str:
    """What prints the last lines of a unit's journal on its host, for a POSIX shell, without what may be secret."""
    return f"journalctl --quiet --no-pager --output=cat --lines=40 --unit={quote(unit)} 2>/dev/null | {filtered(quote)}"


def filtered(quote: Callable[[str], str]) -> str:
    """The filter itself; bytes that are no text are no reason to stop."""
    return f"cut -b1-2000 | LC_ALL=C sed -E {' '.join(f'-e {quote(cut)}' for cut in _THERE)}"


def without_secrets(text: str, known: Iterable[str] = ()) -> str:
    """One line without the values that may be secret, and without these ``known`` ones. Names stay."""
    for secret in known:
        if secret:
            text = text.replace(secret, _HIDDEN)
    for pattern, instead in _CUTS:
        text = pattern.sub(instead, text)
    return text


def last_lines(text: str, known: Iterable[str] = ()) -> list[str]:
    """The last lines that say something: at most LINES of at most LENGTH characters, each once."""
    lines: dict[str, None] = {}
    for line in text.splitlines()[-200:]:
        words = visible(without_secrets(" ".join(line[:4096].split()), known))[:LENGTH]
        if words:
            lines.pop(words, None)
            lines[words] = None
    return list(lines)[-LINES:]
