# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person who watches a run is shown beside the results of its tasks.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re

from ansible import constants as C
from ansible.utils.display import Display

#: Callbacks that write standard output for a program, which words in between would break.
_FOR_PROGRAMS = re.compile(r"json|null", re.IGNORECASE)


def show(text: str) -> None:
    """Write it on standard output, unless that is written for a program."""
    if not _FOR_PROGRAMS.search(C.DEFAULT_STDOUT_CALLBACK or ""):
        Display().display(text)
