"""How many hosts are asked at the same time, how often, for how long: with shells for ssh."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.action.fleet_sweep import Preparation
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _failures as failures
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _sweep as sweep

BROKEN = "client_loop: send disconnect: Broken pipe"
DROPPED = "kex_exchange_identification: Connection closed by remote host"


def question(script: str, host: str = "cm1", **more: Any) -> sweep.Question:
    """One that a shell answers."""

    async def line() -> sweep.Line:
        return sweep.Line(["/bin/sh", "-c", script])

    return sweep.Question(host, line, **{"program": b"the program\n", **more})


def asked(*questions: sweep.Question, limit: float = 60, per_place: int = 8) -> dict[str, sweep.Outcome]:
    """The outcome of each."""
    found: dict[str, sweep.Outcome] = {}
    pool = sweep.Pool(8, limit, per_place)
    asyncio.run(pool.ask([lambda one=one: one for one in questions], lambda one, out: found.update({one.host: out})))  # type: ignore[misc]
    return found


def test_what_it_reads_and_says() -> None:
    found = asked(question("cat; echo words >&2; exit 3"))["cm1"]
    assert found == sweep.Answer(3, "the program\n", "words\n")


def test_a_command_that_reads_nothing_and_one_that_is_not_there() -> None:
    async def nothing() -> sweep.Line:
        return sweep.Line(["/no/such/ssh"])

    big = b"x" * (4 << 20)
    found = asked(question("exit 1", program=big), sweep.Question("cm2", nothing, b""))
    assert found["cm1"] == sweep.Answer(1, "", "")
    assert isinstance(found["cm2"], sweep.Unserved)


def test_whatever_goes_wrong_is_one_host_s() -> None:
    async def broken() -> sweep.Line:
        raise KeyError("ssh_executable")

    found = asked(sweep.Question("cm1", broken, b""), question("cat", "cm2"))
    assert isinstance(found["cm1"], sweep.Unserved) and "ssh_executable" in str(found["cm1"])
    assert isinstance(found["cm2"], sweep.Answer)


def counted(folder: Path, words: str, times: int) -> str:
    """A script that fails so many times as ssh does, then answers."""
    return (
        f'echo >>{folder}/count; [ "$(wc -l <{folder}/count)" -gt {times} ] || {{ echo "{words}" >&2; exit 255; }}; cat'
    )


@pytest.mark.parametrize(
    ("words", "times", "attempts"),
    [
        (BROKEN, 1, 2),
        (BROKEN, 2, -2),  # cut each time
        (DROPPED, 4, 5),
        (DROPPED, 5, -5),
        ("ssh: connect to host cm1 port 22: Connection refused", 1, -1),
        ("", 1, -1),
    ],
)
def test_who_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, times: int, attempts: int
) -> None:
    monkeypatch.setattr(sweep, "PAUSE", 0.001)
    found = asked(question(counted(tmp_path, words, times)))["cm1"]
    assert len((tmp_path / "count").read_text()) == abs(attempts)
    if attempts > 0:
        assert isinstance(found, sweep.Answer) and found.status == 0
    else:
        assert isinstance(found, sweep.Unreachable) and str(found) == f"{words}\n"


def test_what_is_done_is_not_begun_again(tmp_path: Path) -> None:
    """A connection that is cut says nothing of how far the host came."""
    found = asked(question(counted(tmp_path, BROKEN, 1), once=True))["cm1"]
    assert isinstance(found, sweep.Unreachable) and (tmp_path / "count").read_text() == "\n"


#: What ssh says of a connection that was there, and of one that was not; first with the words of another failure.
CUT = (
    "Read from remote host 10.0.0.5: Connection timed out\nclient_loop: send disconnect: Broken pipe",
    "client_loop: send disconnect: Network is unreachable",
    "packet_write_wait: Connection to 10.0.0.5 port 22: No route to host",
    "Timeout, server cm1 not responding.",
    "Connection to cm1 closed by remote host.",
    "Host key verification failed.\nConnection to cm1 closed by remote host.",
    f"{DROPPED}\nConnection to cm1 closed by remote host.",
    "sudo: unable to resolve host ci1: Name or service not known\nKilled",
    "words that nobody knows",
    "",
)
NEVER_THERE = (
    "ssh: connect to host cm1 port 22: Connection timed out",
    "ssh: connect to host cm1 port 22: No route to host",
    "ssh: Could not resolve hostname cm1: Name or service not known",
    "Connection timed out during banner exchange",
    f"{DROPPED}\nConnection closed by 10.0.0.5 port 22",
    "root@cm1: Permission denied (publickey).",
)


@pytest.mark.parametrize(("said", "there"), [*((one, True) for one in CUT), *((one, False) for one in NEVER_THERE)])
def test_whether_a_connection_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, there: bool
) -> None:
    """Where it may have been, the user's own retries do not begin an edit again."""
    monkeypatch.setattr(sweep, "PAUSE", 0.001)
    monkeypatch.setattr(sweep, "DROPPED", 0)
    assert failures.was_there(said) is there
    left = frozenset({"key_unknown"})
    found = asked(question(counted(tmp_path, said, 2), once=True, retries=1, left=left))["cm1"]
    assert isinstance(found, sweep.Unreachable)
    assert len((tmp_path / "count").read_text()) == (1 if there else 2)


def test_what_goes_wrong_here_with_a_command_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have done something, which what was never started has not."""

    async def run(_talk: sweep.Talk) -> sweep.Answer:
        raise OSError("no")

    monkeypatch.setattr(sweep.Talk, "run", run)
    assert type(asked(question("cat"))["cm1"]) is sweep.Unsettled

    async def nothing() -> sweep.Line:
        return sweep.Line(["/no/such/ssh"])

    assert type(asked(sweep.Question("cm2", nothing, b""))["cm2"]) is sweep.Unserved


def test_one_answer_leads_to_the_next_question(tmp_path: Path) -> None:
    """To the same host, in a turn of its own, with a time of its own."""
    said: list[tuple[str, Any]] = []

    def file(asked: sweep.Question, outcome: sweep.Outcome) -> sweep.Question | None:
        said.append((asked.host, outcome.stdout if isinstance(outcome, sweep.Answer) else type(outcome)))
        follow = {b"first": b"second", b"second": b"third"}.get(asked.program)
        return (
            None
            if follow is None
            else question("cat" if follow != b"third" else "sleep 60", asked.host, program=follow, limit=0.5)
        )

    pool = sweep.Pool(1, 60, 1)
    hosts = ["cm1", "cm2", "cm3"]
    asyncio.run(pool.ask([lambda host=host: question("cat", host, program=b"first") for host in hosts], file))  # type: ignore[misc]
    for host in hosts:
        assert [what for one, what in said if one == host] == ["first", "second", sweep.Late]


def test_the_users_own_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = "ssh: connect to host cm1 port 22: Connection refused"
    found = asked(question(counted(tmp_path, refused, 1), retries=1))["cm1"]
    assert isinstance(found, sweep.Answer)


def test_255_of_what_is_no_ssh_is_an_answer() -> None:
    assert asked(question("exit 255", remote=False))["cm1"] == sweep.Answer(255, "", "")


def test_failures_that_are_left() -> None:
    found = asked(question("echo 'Host key verification failed.' >&2; exit 255", left=frozenset({"key_unknown"})))[
        "cm1"
    ]
    assert isinstance(found, sweep.Unserved) and "not known here" in str(found)


def test_who_does_not_answer_is_ended_with_all_that_was_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"setsid sleep 4712 & echo $! >>{pids}; echo $$ >>{pids}; exec sleep 4712"
    found = asked(question(script), question("cat", "cm2"), limit=1)
    assert isinstance(found["cm1"], sweep.Late) and "within 1 seconds" in str(found["cm1"])
    assert isinstance(found["cm2"], sweep.Answer)
    for pid in map(int, pids.read_text().split()):
        for _attempt in range(100):
            if not os.path.exists(f"/proc/{pid}") or "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]:
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{pid} lives")


def test_an_answer_without_an_end() -> None:
    assert isinstance(asked(question("exec cat /dev/zero"))["cm1"], sweep.TooLarge)
    assert isinstance(asked(question("exec cat /dev/zero >&2"))["cm1"], sweep.TooLarge)


ASKS = (
    "printf 'word? ' >&2; read -r w; [ \"$w\" = sesame ] || { printf 'word? ' >&2; read -r w; exit 1; }; echo in; cat"
)


def test_become_asks_for_a_password() -> None:
    right, wrong = (sweep.Escalation(b"word? ", word, b"in\n") for word in ("sesame", "other"))
    found = asked(question(ASKS, escalation=right), question(ASKS, "cm2", escalation=wrong))
    assert found["cm1"] == sweep.Answer(0, "in\nthe program\n", "word? ")
    assert isinstance(found["cm2"], sweep.Unserved)
    gone = asked(question("echo sudo: no >&2; exit 1", escalation=right))["cm1"]
    assert gone == sweep.Answer(1, "", "sudo: no\n")


def test_a_password_for_ssh() -> None:
    async def line() -> sweep.Line:
        read, write = os.pipe()
        return sweep.Line(["/bin/sh", "-c", f"cat /proc/self/fd/{read}"], password=(read, write, b"sesame"))

    assert asked(sweep.Question("cm1", line, b""))["cm1"] == sweep.Answer(0, "sesame\n", "")


def test_hosts_of_one_plugin_have_each_their_own_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible's plugin keeps the pipe of sshpass in itself, and many hosts make use of one plugin at the same time."""
    (tmp_path / "sshpass").write_text("#!/bin/sh\n")
    (tmp_path / "sshpass").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    connection = connection_loader.get("ssh", PlayContext())
    connection.set_options(direct={"password": "sesame", "password_mechanism": "sshpass"})

    class Slow:
        async def to(self, words: list[str], host: str) -> list[str]:
            await asyncio.sleep(0.05 if host == "cm1" else 0)
            if host == "cm3":
                raise OSError("no way")
            return words

    prepared = Preparation.__new__(Preparation)
    prepared._ways, prepared._action = Slow(), SimpleNamespace(_display=Display())  # type: ignore[assignment]

    async def both() -> list[Any]:
        made = (prepared._ssh(connection, host, host, "true")() for host in ("cm1", "cm2", "cm3"))
        return await asyncio.gather(*made, return_exceptions=True)

    *lines, lost = asyncio.run(both())
    assert isinstance(lost, OSError)
    for line in lines:
        assert line.words[:2] == ["sshpass", f"-d{line.password[0]}"]
        os.write(line.password[1], b"word")
        assert os.read(line.password[0], 9) == b"word"
        line.close()


def test_not_many_at_once_of_one_place(tmp_path: Path) -> None:
    script = (
        f"touch {tmp_path}/in-$$; ls {tmp_path} | grep -c in- >>{tmp_path}/counts; sleep 0.1; rm {tmp_path}/in-$$; cat"
    )
    hosts = [question(script, f"cm{number}", place="10.0.0.1 22") for number in range(12)]
    found = asked(*hosts, per_place=2)
    assert len(found) == 12 and all(isinstance(one, sweep.Answer) for one in found.values())
    assert max(map(int, (tmp_path / "counts").read_text().split())) <= 2


UNREAD = """
import asyncio, gc
from ansible_collections.cbops.telemetry.plugins.action import fleet_sweep

async def work():
    process = await asyncio.create_subprocess_exec("sleep", "0.2", stdin=asyncio.subprocess.PIPE)
    try:
        process.stdin.write(b"x" * 3_000_000)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    process.stdin.close()
    await process.wait()

fleet_sweep._until_ended(work())
gc.collect()
"""


def test_a_command_that_ends_before_it_has_read_all_leaves_no_words_of_python_s() -> None:
    """Ansible shows whatever its worker writes on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", UNREAD],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
