"""One host as the tests see it: policy, facts (gathered once), and how a test fails on it. Messages hold names
of files and variables and redacted journal lines, no text of launch files."""

from __future__ import annotations

import threading

import pytest

from . import backends, facts, jvmtext
from .facts import Broken, Denied, Facts, Installation, Stat, Unreachable
from .inventory import Target
from .policy import NAMED, Policy, Switch

SWITCHES = [Switch(name, off) for name, off in dict.fromkeys(NAMED.values())]
OPTION = f"{jvmtext.OPTION}=true"


class Node:
    def __init__(self, target: Target, policy: Policy, backend: str, audited: dict | None = None) -> None:
        self.name = target.name
        self.target = target
        self.policy = policy
        self.backend = backend
        self.audited = audited  # what an audit's report says of this host
        self._facts: Facts | None = None
        self._trouble = ""
        self._told = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<host {self.name}>"

    def gather(self) -> None:
        """Asks the host, once. Trouble is kept and told by the first test that needs the answer."""
        with self._lock:
            if self._facts is not None or self._trouble:
                return
            try:
                self._facts = self._ask()
            except Unreachable as problem:
                self._trouble = f"{self.name} is unreachable: {problem}"
            except Denied as problem:
                self._trouble = f"{self.name} cannot be read: {problem}"
            except Broken as problem:
                self._trouble = f"{self.name} cannot be understood: {problem}"
            except Exception as problem:
                # The exception's own text and locals may hold what was read on the host.
                self._trouble = f"{self.name}: {_where(problem)}: please report this as a bug of the suite"

    def _ask(self) -> Facts:
        if self.target.problem:
            raise Unreachable(self.target.problem)
        connection = backends.connect(self.target, self.backend)
        try:
            probe = self.policy.connectivity != "ignored"
            # What an audit says of core's senders is looked at by their switches, whether they are policy or not.
            switches = list({one.option: one for one in [*SWITCHES, *self.policy.switches]}.values())
            with_homes = self.audited is not None or self.policy.toggle != "unmanaged"
            return facts.gather(
                connection.feed,
                probe,
                self.policy.launch_scripts,
                switches if self.audited is not None else self.policy.switches,
                with_homes,
                self.audited is not None and self.policy.events,
            )
        finally:
            client = connection.__dict__.get("client")
            if client is not None:
                client.close()

    def look(self) -> Facts:
        """The facts, or the end of the test: the first one on this host fails, the others are skipped."""
        self.gather()
        trouble = self._trouble
        if not trouble and self.policy.problems:
            trouble = f"{self.name}: {'; '.join(self.policy.problems)}"
        if trouble:
            if self._told:
                pytest.skip(trouble)
            self._told = True
            pytest.fail(trouble, pytrace=False)
        assert self._facts is not None
        return self._facts

    def managed(self) -> Facts:
        """The facts of a host that policy speaks about and that has something to speak about."""
        found = self.look()
        if self.policy.desired == "unmanaged":
            pytest.skip("telemetry_desired is unmanaged")
        if not found.installations and not found.processes:
            pytest.skip("no operations center, controller or Jenkins was found on this host")
        return found

    def verdict(self, problems: list[str], advice: list[str], about: list[Installation], waivable: bool = True) -> None:
        """Ends the test as failed, or as expected to fail while a waiver is valid, if there are problems."""
        if not problems:
            return
        # Names of files are their owner's choice.
        problems = ["".join(char if char.isprintable() else "?" for char in one) for one in problems]
        if self.policy.waiver and waivable:
            pytest.xfail(f"{self.policy.waiver}; {problems[0]}")
        lines = [f"{self.name}: {problems[0]}", *problems[1:], *self.policy.remarks]
        lines += ["What to do: " + advice[0], *advice[1:]] if advice else []
        for one in about:
            if one.service:
                lines.append(f"{one.name} is {one.state}; the last lines of its journal (values cut out):")
                lines += ["    " + line for line in one.journal if line.strip()] or ["    (nothing)"]
        pytest.fail("\n".join(lines), pytrace=False)


def _where(problem: Exception) -> str:
    at = problem.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" at {at.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{at.tb_lineno}" if at else ""
    return f"{type(problem).__name__}{place}"


def writers(stat: Stat, accounts: set[str], groups: set[str], what: str) -> list[str]:
    """Who, beyond the given accounts and groups, could change a file or what a folder holds."""
    if stat.mode is None:
        return [f"owner and mode of {what} cannot be read"]
    out = []
    if stat.user not in accounts:
        out.append(f"{what} belongs to {stat.user}")
    if stat.mode & 0o1000:
        return out  # a sticky folder: each may change his own entries only
    if stat.mode & 0o002:
        out.append(f"{what} can be written by everybody (mode {stat.mode:04o})")
    if stat.mode & 0o020 and stat.group not in groups:
        out.append(f"{what} can be written by the group {stat.group} (mode {stat.mode:04o})")
    return out
