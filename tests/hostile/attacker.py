"""What an attacker can do in the hostile fleet: as root of a host, as an ordinary user, as a service's user."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from fleethand import FLEET, Done, Fleet, shell_in

PROFILE = "hostile"
PROGRAMS = Path(__file__).parent / "programs"
#: The ordinary user that every host has; may log in, may not become root.
USER = "alice"
_PYTHON = "$(readlink -f /usr/bin/python3)"


class Site(Fleet):
    """The running hostile fleet: deb (trixie), rpm (bullseye), oss and script (bookworm)."""

    programs: Path

    def add_user(self, host: str, name: str = USER) -> None:
        """An ordinary user with a home."""
        self.shell(host, f"id {name} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash {name}")

    def put(self, host: str, path: str, content: bytes, mode: int = 0o644, owner: str = "root") -> None:
        """A file on a host, byte for byte."""
        done = subprocess.run(
            shell_in(
                self.profile,
                host,
                "sh",
                "-euc",
                'mkdir -p "$(dirname "$1")"; cat >"$1"; chmod "$2" "$1"; chown "$3" "$1"',
                "sh",
                path,
                f"{mode:o}",
                owner,
            ),
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def give(self, host: str, program: str, user: str = USER) -> str:
        """One of the attackers' compiled programs in a user's home; its path there."""
        home = self.shell(host, f"getent passwd {user} | cut -d: -f6").strip()
        self.put(host, f"{home}/{program}", (self.programs / program).read_bytes(), 0o755, user)
        return f"{home}/{program}"

    def as_user(self, host: str, script: str, user: str = USER, check: bool = True) -> str:
        """A bash script as an ordinary user, in that user's home; its standard output."""
        done = subprocess.run(
            shell_in(self.profile, host, "runuser", "-u", user, "--", "bash", "-c", f"cd; {script}"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            errors="replace",
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def pretend(self, host: str, *words: str, user: str = USER, count: int = 1) -> None:
        """Processes that call themselves java with these words (bash's $'…' is understood), and are none."""
        pause = self.give(host, "pause", user)
        self.as_user(
            host,
            f"for i in $(seq {count}); do (exec -a java {pause} {' '.join(words)}) </dev/null >/dev/null 2>&1 & done",
            user,
        )

    def stop_pretending(self, host: str, user: str = USER) -> None:
        """End all processes of a user."""
        self.shell(host, f"pkill -KILL -u {user} || true")

    def compromise(self, host: str, payload: bytes | str, function: str = "") -> None:
        """Root of a host answers the carrier itself: with these bytes, or where they begin with ``#!py`` with what
        that program leaves in ``answer``; only for one function where it is named."""
        data = payload.encode() if isinstance(payload, str) else payload
        self.put(host, "/root/payload" + (f".{function}" if function else ""), data, 0o600)
        self._in_place_of_python(host, (PROGRAMS / "evil-python").read_bytes())

    def replace_python(self, host: str, script: str) -> None:
        """A shell script in place of a host's Python; the real one is /usr/bin/python3.real."""
        self._in_place_of_python(host, f"#!/bin/sh\n{script}\n".encode())

    def _in_place_of_python(self, host: str, program: bytes) -> None:
        # Every name under which the carrier finds a Python leads to it.
        self.put(host, "/root/liar", program, 0o755)
        self.shell(
            host,
            f"""
            real={_PYTHON}
            [ -e /usr/bin/python3.real ] || cp $real /usr/bin/python3.real
            cp /root/liar $real.new; mv $real.new $real""",
        )

    def heal(self, host: str) -> None:
        """The host's own Python again, and nothing left to answer."""
        self.shell(
            host,
            f"""
            rm -f /root/payload*
            [ ! -e /usr/bin/python3.real ] || {{ real={_PYTHON}; mv /usr/bin/python3.real $real; }}""",
        )

    def playbook(
        self, plays: list[dict[str, Any]], *arguments: str, environment: dict[str, str] | None = None, **variables: Any
    ) -> Done:
        """A playbook of the test's own on all hosts."""
        path = self.folder / f"play-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(plays))
        done = self.inside(
            str(Path(FLEET).parents[2] / ".venv/bin/ansible-playbook"),
            str(path),
            "-i",
            str(self.inventory(**variables)),
            *arguments,
            environment={"ANSIBLE_NOCOLOR": "1", **(environment or {})},
        )
        return Done(done.returncode, done.stdout + done.stderr, {}, {})
