"""pyinfra with the program as one command. It sends text alone, so the bytes go as base64."""

import os
from pathlib import Path

from pyinfra import host
from pyinfra.api import FactBase

TEXT = Path(os.environ["PROGRAM"] + ".base64").read_text()


class Audit(FactBase):
    """What the program prints."""

    def command(self):
        """Decoded, then piped."""
        return "base64 -d | " + os.environ["COMMAND"]

    def process(self, output):
        """Its lines."""
        return "\n".join(output)


answer = host.get_fact(Audit, _stdin=TEXT)
Path(os.environ["OUT"], host.name).write_text(answer or "")
