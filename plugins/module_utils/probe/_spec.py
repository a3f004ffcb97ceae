# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the probe, as modules that probe take them.

Private to this collection. Python 3.6+, standard library only. By itself, because each audit checks its options by it.
"""

from typing import Any, Dict

DIRECT, CONFIGURED = "direct", "configured"

#: Options of the probe, as both modules that probe take them.
SPEC: Dict[str, Dict[str, Any]] = {
    "host": {"type": "str", "default": "api.segment.io"},
    "port": {"type": "int", "default": 443},
    "endpoints": {"type": "list", "elements": "str"},
    "via": {"type": "list", "elements": "str", "default": [DIRECT, CONFIGURED]},
    "timeout": {"type": "float", "default": 5},
    "tls": {"type": "bool", "default": True},
    "http": {"type": "bool", "default": False},
    "count": {"type": "int", "default": 1},
    "interval": {"type": "float", "default": 1},
    "ca_file": {"type": "path"},
    "public_authorities": {"type": "path"},
    "private_authority": {"type": "bool", "default": False},
}
