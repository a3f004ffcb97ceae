"""What a machine has in common with no other that runs now."""

from __future__ import annotations

import builtins
import io
import os
import re
from typing import Any

import pytest
import schemas

from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _survey

PATTERN = schemas.SCHEMAS["state-1.json"]["properties"]["host"]["properties"]["machine"]["pattern"]
BOOT = "df11b95a-6b6e-499e-8f41-e5876e32ee9f\n"


@pytest.mark.parametrize(
    ("identity", "boot", "told"),
    [
        ("7666c31d2fc54b29bbe2df3524a18223\n", BOOT, True),
        ("uninitialized\n", BOOT, False),
        ("", BOOT, False),
        ("7666C31D2FC54B29BBE2DF3524A18223\n", BOOT, False),
        ("7666c31d2fc54b29bbe2df3524a18223\n", "no boot\n", False),
        (None, BOOT, False),
        ("\u00ff" * 32, BOOT, False),
    ],
)
def test_it_is_told_or_nothing_is(monkeypatch: pytest.MonkeyPatch, identity: str | None, boot: str, told: bool) -> None:
    """What is in those files may be anything; what is said passes the gate."""
    real = builtins.open

    def opened(path: Any, *more: Any, **options: Any) -> Any:
        if path == "/etc/machine-id":
            if identity is None:
                raise FileNotFoundError(path)
            return io.TextIOWrapper(io.BytesIO(identity.encode()), encoding="ascii")
        return io.StringIO(boot) if path == "/proc/sys/kernel/random/boot_id" else real(path, *more, **options)

    monkeypatch.setattr(builtins, "open", opened)
    found = _survey._machine()
    assert (found is not None) == told
    assert found is None or re.search(PATTERN, found)
    assert found is None or found.endswith(os.readlink("/proc/self/ns/pid"))
