"""Appends each host's whole results as lines of JSON to files in CBOPS_RECORD; what Ansible shows leaves things out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One file a host, one line a task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"

    def record(self, answer: Any, **more: Any) -> None:
        """One host's result."""
        host = answer.host.get_name()
        with Path(os.environ["CBOPS_RECORD"], host).open("a") as file:
            file.write(json.dumps({**answer.result, **more}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A success."""
        self.record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A failure."""
        self.record(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """No connection."""
        self.record(result, unreachable=True)
