"""Writes each host's whole result as JSON into the folder CBOPS_RECORD; what Ansible shows leaves things out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The last result of each host counts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"

    def record(self, answer: Any, **more: Any) -> None:
        """One host's result."""
        host = answer.host.get_name()
        Path(os.environ["CBOPS_RECORD"], host).write_text(json.dumps({**answer.result, **more}, default=str))

    def v2_runner_on_ok(self, result: Any) -> None:
        """A success."""
        self.record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A failure."""
        self.record(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """No connection."""
        self.record(result, unreachable=True)
