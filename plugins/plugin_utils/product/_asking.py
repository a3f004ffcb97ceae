# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the operations centers of telemetry_operations_centers; the reason stands in for one that does not answer.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _operations_center as product
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._addresses import of_centers
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError


def asked(centers: Sequence[Mapping[str, Any]]) -> dict[str, product.Center | str]:
    """What each says, by its address. Raises ValueError for an address that is none, or is named twice."""
    found: dict[str, product.Center | str] = {}
    for url, entry in zip(of_centers(centers), centers, strict=True):
        token = str(entry.get("token") or "")
        try:
            client = Client(
                url, str(entry.get("user") or ""), token, entry.get("ca_file"), entry.get("allow_http") is True
            )
            found[url] = product.read(client, url)
        except ClientError as error:
            found[url] = str(error)
    return found
