"""The contenders: each does the same work on every host of an inventory, and is asked what it has seen.

A contender is a command line, an environment, and a look at what it left behind: a figure counts only if every host's
answer is there. What is compared runs on its own defaults; what is set is said here.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.loopback import CHECKOUT, PLACE, PORT, PORT_DEFAULT, USER

VENV = CHECKOUT / ".build/bench/venv"
CLIENTS = Path(__file__).with_name("clients")
#: Named by OpenSSH's hash of host, port and user, so that whoever comes next finds what another opened.
SOCKETS = PLACE / "cp"
SECONDS = 10  # what a connection may take


@dataclass(frozen=True)
class Task:
    """What a contender is to do."""

    inventory: Path  # hosts.ini and addresses
    out: Path  # an empty folder for what it finds
    home: Path
    forks: int = 16
    warm: bool = False  # connections are open already


@dataclass(frozen=True)
class Contender:
    """One way to audit all hosts of an inventory."""

    name: str
    what: str
    command: Callable[[Task], list[str]]
    environment: Callable[[Task], dict[str, str]] = field(default=lambda task: {})
    #: The addresses or names of the hosts whose work was seen done.
    done: Callable[[Task], set[str]] = field(default=lambda task: answers(task.out))
    #: Why it cannot run here, if so.
    lacks: Callable[[], str | None] = field(default=lambda: None)
    #: Whether it can use connections that are open.
    warm: bool = False
    most: int = 4000  # hosts
    why: str = ""  # it is not run on more
    seconds: float = 0.5  # how long a host may take, before the run counts as hanging
    redirect: str = ""  # a file below PLACE for its stdin


# ---- the program -----------------------------------------------------------------------------------------------------


def write_program() -> None:
    """The bytes that every bare client pipes, and the command that reads them, once: PLACE/program, command, marks."""
    import base64

    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier, _filing

    spec, paths = _carrier.without_paths(_carrier.ARGUMENTS["telemetry_info"])
    asked = _filing.question({"telemetry_desired": "disabled", "telemetry_connectivity": "ignored"})
    params = ArgumentSpecValidator(spec).validate(asked).validated_parameters
    begin, end = "<cbops bench ", " bench cbops>"
    sent = _carrier.program(
        "telemetry_info",
        {
            "function": "telemetry_info",
            "params": params,
            "paths": paths,
            "check_mode": False,
            "begin": begin,
            "end": end,
        },
    )
    command = _carrier.command(None, "")
    (PLACE / "program").write_bytes(sent)
    # For what can send text alone
    (PLACE / "program.base64").write_bytes(base64.b64encode(sent))
    (PLACE / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")  # nothing but defaults
    (PLACE / "command").write_text(command, encoding="utf-8")
    (PLACE / "marks").write_text(json.dumps([begin, end]), encoding="utf-8")


def lacking(text: str) -> str | None:
    """What an answer lacks; None where it is whole and says what is to be said: a controller with telemetry on."""
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import answer_of

    begin, end = json.loads((PLACE / "marks").read_text(encoding="utf-8"))
    answer = answer_of(text, begin, end)
    if answer is None:
        return f"{len(text)} characters, no answer between the marks"
    found = json.loads(answer)
    seen = [(one["on_disk"], one["running"]) for one in found["state"]["installations"]]
    details = [one["running_detail"] for one in found["state"]["installations"]]
    return None if seen == [("enabled", "enabled")] else f"{seen} {details}"


def answers(out: Path) -> set[str]:
    """Hosts with a whole answer, from a file for each."""
    return {path.name for path in out.iterdir() if lacking(path.read_text(encoding="utf-8", errors="replace")) is None}


def evidence(task: Task) -> set[str]:
    """Hosts that were judged by what they answered."""
    found = set()
    for path in (task.out / "evidence").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["verdict"] == "violation":
            found.add(document["host"])
    return found


def compliant(task: Task) -> set[str]:
    """Hosts that were judged, and are as their policy wants them."""
    found = set()
    for path in (task.out / "evidence").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["verdict"] == "compliant":
            found.add(document["host"])
    return found


def planned(task: Task) -> set[str]:
    """Hosts of which it is known that enforce would do nothing there."""
    path = task.out / "plan.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"hosts": []}
    return {entry["host"] for entry in document["hosts"] if entry["enforced"] and not entry["edits"]}


def recap(task: Task) -> set[str]:
    """Hosts on which every task of a playbook was done, by Ansible's own recap."""
    text = (task.out / "stdout").read_text(encoding="utf-8", errors="replace")
    whole = r"^(\S+) +: ok=[89] .*unreachable=0 +failed=0 +skipped=0"
    return {found[1] for found in re.finditer(whole, text, re.MULTILINE)}


def gathered(task: Task) -> set[str]:
    """Hosts whose facts came."""
    text = (task.out / "stdout").read_text(encoding="utf-8", errors="replace")
    return {found[1] for found in re.finditer(r"^(\S+) \| SUCCESS", text, re.MULTILINE)}


def operations(task: Task) -> set[str]:
    """Hosts on which every operation of pyinfra_admin gave what it should."""
    return {
        path.name
        for path in task.out.iterdir()
        if ".war" in (text := path.read_text(encoding="utf-8")) and text.endswith("'0', '0']")
    }


# ---- command lines ---------------------------------------------------------------------------------------------------


def ssh_options(task: Task) -> list[str]:
    """OpenSSH: its own connection, or one that is open; never a new master."""
    return [
        "-o",
        f"ConnectTimeout={SECONDS}",
        "-o",
        "ControlMaster=no",
        "-o",
        f"ControlPath={SOCKETS / '%C' if task.warm else 'none'}",
    ]


def xargs(task: Task, port: int) -> list[str]:
    """Plain ssh, so many at a time."""
    # xargs ends where one exits with 255, as ssh does when it does not get through.
    each = f'ssh -p {port} -o HostKeyAlias="$1" $OPTIONS "$1" "$COMMAND" <"$PROGRAM" >"$OUT/$1" || exit 1'
    return ["xargs", "-a", str(task.inventory / "addresses"), "-P", str(task.forks), "-n", "1", "sh", "-c", each, "sh"]


def nothing(task: Task) -> dict[str, str]:
    """No audit: what a login alone costs both sides."""
    return {**piping(task), "COMMAND": "echo in", "PROGRAM": os.devnull}


def logins(task: Task) -> set[str]:
    """Hosts that let us in."""
    return {path.name for path in task.out.iterdir() if path.read_text(encoding="utf-8") == "in\n"}


def piping(task: Task) -> dict[str, str]:
    """What the clients that pipe the program need."""
    return {
        "COMMAND": (PLACE / "command").read_text(encoding="utf-8"),
        "PROGRAM": str(PLACE / "program"),
        "MARKS": str(PLACE / "marks"),
        "OUT": str(task.out),
        "FORKS": str(task.forks),
        "OPTIONS": " ".join(ssh_options(task)),
        "ADDRESSES": str(task.inventory / "addresses"),
        "BENCH_USER": USER,
        "BENCH_PORT": str(PORT),
        "BENCH_SECONDS": str(SECONDS),
    }


def client(name: str, python: str) -> Callable[[Task], list[str]]:
    """A bare client of ours."""
    return lambda task: [python, str(CLIENTS / f"{name}.py")]


def audit(*variables: str, playbook: str = "audit") -> Callable[[Task], list[str]]:
    """A playbook of the collection, with the settings of this checkout's ansible.cfg."""

    def command(task: Task) -> list[str]:
        extra = [word for one in variables for word in ("-e", one.format(forks=task.forks))]
        return [
            str(CHECKOUT / ".venv/bin/ansible-playbook"),
            f"cbops.telemetry.{playbook}",
            "-i",
            str(task.inventory / "hosts.ini"),
            "-f",
            str(task.forks),
            *extra,
            "-e",
            json.dumps({"telemetry_reports_dir": str(task.out), "telemetry_fail_on": []}),
        ]

    return command


def ours(task: Task) -> dict[str, str]:
    """Sockets where the others have them."""
    return {"ANSIBLE_SSH_CONTROL_PATH": f"{SOCKETS}/%%C", "ANSIBLE_LOCAL_TEMP": str(task.home / "tmp")}


def admin(*, tuned: bool) -> Callable[[Task], list[str]]:
    """The playbook that an administrator writes."""

    def command(task: Task) -> list[str]:
        words = [
            str(VENV / "bin/ansible-playbook"),
            str(CLIENTS / "admin.yml"),
            "-i",
            str(task.inventory / "hosts.ini"),
        ]
        return [*words, "-f", str(task.forks), "-e", "facts=false"] if tuned else words

    return command


def with_setting(name: str, value: str) -> Callable[[Task], dict[str, str]]:
    """Ours, with another value of one setting of Ansible."""
    return lambda task: {**ours(task), name: value}


def facts(task: Task) -> list[str]:
    """Facts alone, as a play gathers them that is not told otherwise."""
    return [
        str(VENV / "bin/ansible"),
        "all",
        "-m",
        "ansible.builtin.setup",
        "-i",
        str(task.inventory / "hosts.ini"),
        "-f",
        str(task.forks),
        "-o",
    ]


def plain_ansible(*, tuned: bool, mitogen: bool = False) -> Callable[[Task], dict[str, str]]:
    """Ansible's defaults; tuned: pipelining; under Mitogen: its strategy."""

    def environment(task: Task) -> dict[str, str]:
        found = {"ANSIBLE_CONFIG": str(PLACE / "ansible.cfg"), **ours(task)}
        if tuned:
            found["ANSIBLE_PIPELINING"] = "true"
        if mitogen:
            site = next((VENV / "lib").glob("python3*/site-packages"))
            found |= {
                "ANSIBLE_STRATEGY_PLUGINS": str(site / "ansible_mitogen/plugins/strategy"),
                "ANSIBLE_STRATEGY": "mitogen_linear",
            }
        return found

    return environment


def pyinfra(deploy: str) -> Callable[[Task], list[str]]:
    """pyinfra's command line."""
    return lambda task: [
        str(VENV / "bin/pyinfra"),
        str(CLIENTS / "pyinfra_inventory.py"),
        str(CLIENTS / f"{deploy}.py"),
        "-y",
        "--parallel",
        str(task.forks),
    ]


def clush(task: Task) -> list[str]:
    """ClusterShell, which gives its stdin to every host; one file a host, as the others."""
    return [
        str(VENV / "bin/clush"),
        "--hostfile",
        str(task.inventory / "addresses"),
        "-f",
        str(task.forks),
        "-q",
        "-o",
        " ".join(ssh_options(task)).replace("%", "%%"),
        "--outdir",
        str(task.out),
        (PLACE / "command").read_text(encoding="utf-8"),
    ]


# ---- who -------------------------------------------------------------------------------------------------------------


def no_sweep() -> str | None:
    """The variable alone would be passed over in silence by a collection that cannot sweep."""
    there = (CHECKOUT / "plugins/action/fleet_sweep.py").is_file()
    return None if there else "this checkout has no action fleet_sweep"


#: The policy by which the hosts of the fleet are right: the flag is missing, and their JVM runs without it.
RIGHT = ("telemetry_desired=enabled", "telemetry_connectivity=ignored")
_ADMIN = "8 tasks a host cost nearly a second of CPU each"
_VENV_PYTHON = str(VENV / "bin/python")

CONTENDERS: tuple[Contender, ...] = (
    Contender(
        "ssh",
        "`xargs -P` of bare `ssh`, the program piped: the floor",
        lambda task: xargs(task, PORT),
        piping,
        warm=True,
    ),
    Contender("login", "the same without an audit: `echo`", lambda task: xargs(task, PORT), nothing, logins, warm=True),
    Contender(
        "ssh-pq",
        "the same, with OpenSSH's own (post-quantum) key exchange",
        lambda task: xargs(task, PORT_DEFAULT),
        piping,
    ),
    Contender("asyncssh", "asyncssh, the program piped", client("bare_asyncssh", _VENV_PYTHON), piping),
    Contender("parallel-ssh", "parallel-ssh (libssh2), the program piped", client("bare_pssh", _VENV_PYTHON), piping),
    Contender("paramiko", "paramiko in threads, the program piped", client("bare_paramiko", sys.executable), piping),
    Contender("clush", "`clush`, the program piped", clush, piping, warm=True, redirect="program"),
    Contender(
        "sweep",
        "`cbops.telemetry.audit`, `telemetry_sweep: auto`",
        audit("telemetry_sweep=auto", "telemetry_sweep_connections={forks}"),
        ours,
        evidence,
        no_sweep,
    ),
    *(
        Contender(
            f"{playbook}{'' if mode == 'auto' else '-alone'}",
            f"`cbops.telemetry.{playbook}`, `telemetry_sweep: {mode}`, of hosts that are right already",
            audit(f"telemetry_sweep={mode}", "telemetry_sweep_connections={forks}", *RIGHT, playbook=playbook),
            ours,
            done,
            no_sweep,
            most=4000 if mode == "auto" else 100,
            why="" if mode == "auto" else "as with 100, only longer",
            seconds=0.5 if mode == "auto" else 2,
        )
        for playbook, mode, done in (
            ("audit", "auto", compliant),
            ("plan", "auto", planned),
            ("plan", "never", planned),
            ("enforce", "auto", compliant),
            ("enforce", "never", compliant),
        )
    ),
    Contender(
        "pipe",
        "`cbops.telemetry.audit`, `telemetry_carrier: pipe`",
        audit("telemetry_sweep=never", "telemetry_carrier=pipe"),
        ours,
        evidence,
        warm=True,
    ),
    Contender(
        "module",
        "`cbops.telemetry.audit`, `telemetry_carrier: module`",
        audit("telemetry_sweep=never", "telemetry_carrier=module"),
        ours,
        evidence,
        warm=True,
        most=1000,
        why="as `pipe`, only slower",
        seconds=1,
    ),
    Contender(
        "pipe-alone",
        "`pipe`, no master left for the next run (`ControlMaster=no`)",
        audit("telemetry_sweep=never", "telemetry_carrier=pipe"),
        with_setting("ANSIBLE_SSH_ARGS", "-o ControlMaster=no"),
        evidence,
        most=100,
        why="as `pipe`",
    ),
    Contender(
        "module-files",
        "`module` without pipelining",
        audit("telemetry_sweep=never", "telemetry_carrier=module"),
        with_setting("ANSIBLE_PIPELINING", "false"),
        evidence,
        most=100,
        why="as `module`, only slower",
        seconds=2,
    ),
    Contender(
        "facts",
        "Ansible's facts alone, pipelined",
        facts,
        plain_ansible(tuned=True),
        gathered,
        most=100,
        why="it is no audit",
        seconds=2,
    ),
    Contender("pyinfra-script", "pyinfra, the program as one command", pyinfra("pyinfra_script"), piping),
    Contender(
        "pyinfra",
        "pyinfra, an administrator's operations",
        pyinfra("pyinfra_admin"),
        piping,
        operations,
        most=1000,
        why="it keeps an answer of every operation",
        seconds=2,
    ),
    Contender(
        "admin",
        "an administrator's playbook, Ansible's defaults",
        admin(tuned=False),
        plain_ansible(tuned=False),
        recap,
        most=32,
        why=_ADMIN,
        seconds=10,
    ),
    Contender(
        "admin-tuned",
        "the same, tuned: pipelining, forks, no facts",
        admin(tuned=True),
        plain_ansible(tuned=True),
        recap,
        warm=True,
        most=100,
        why=_ADMIN,
        seconds=6,
    ),
    Contender(
        "admin-mitogen",
        "the same, tuned, under Mitogen's strategy",
        admin(tuned=True),
        plain_ansible(tuned=True, mitogen=True),
        recap,
        most=100,
        why=_ADMIN,
        seconds=6,
    ),
)
BY_NAME: Mapping[str, Contender] = {one.name: one for one in CONTENDERS}
