# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The carrier: the host's half of a module, sent over stdin in the one command that finds a Python and runs it there.

Private to this collection. Runs on the control node. Where a connection cannot pipe, the ordinary module does the work.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import re
import secrets
import shlex
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import (
    explained,
    failure_of,
    of_kind,
    words_of_ssh,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import Action
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import LARGEST, TOO_LARGE, Deadline
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances, record
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._packing import kept, put_off, stripped
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    HOST_LIMIT,
    PolicyError,
    host_limit,
)

CARRIERS = ("auto", "pipe", "module")
FOLDER = Path(__file__).resolve().parents[2] / "module_utils"

#: Where Ansible finds the collection's modules.
_MODULES = "ansible_collections.cbops.telemetry.plugins.modules"


class _Arguments(Mapping[str, dict[str, Any]]):
    """The options of each module that can be carried, from the module itself when they are asked for.

    Ansible compiles what it loads of a collection anew in every run, and an audit needs one of the modules.
    """

    _names = ("telemetry_info", "telemetry_flag", "connectivity_probe", "telemetry_prove", "analytics_events_info")

    def __getitem__(self, name: str) -> dict[str, Any]:
        if name not in self._names:
            raise KeyError(name)
        found: dict[str, Any] = importlib.import_module(f"{_MODULES}.{name}").ARGUMENTS
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


ARGUMENTS = _Arguments()

#: The packages of module_utils that go to every host, lowest first: each imports itself and those before it alone. What
#: lies beside them (``_answer``) comes last and may import all. So like stands by like, and is compressed better.
EVERYWHERE = ("text", "host", "java", "shell", "launch", "running", "survey", "")
#: Those that only some requests need beside them, lowest first.
PROBE, EDIT, PROVE = ("outcomes", "probe"), ("outcomes", "rules", "edit"), ("prove",)
EVENTS = ("events",)
SENDERS = ("senders",)
SHIM = "_shim"

_NAMES = [f"python3.{minor}" for minor in range(14, 5, -1)]
#: Where a Python may be, best first: the distribution's, the newest of them first, RHEL 8's own, then what PATH has (it
#: may be a version manager's stand-in, which does not run).
PYTHONS = (
    *(f"/usr/bin/{name}" for name in _NAMES),
    "/usr/libexec/platform-python",
    "/usr/bin/python3",
    *_NAMES,
    "python3",
)
#: Reads as many parts as the first line of stdin has lengths, and runs the first. Without quotes, because become and
#: shell plugins quote it again and again.
BOOT = (
    "import sys,zlib;i=sys.stdin.buffer;"
    "parts=[zlib.decompress(i.read(int(n)))for n in i.readline().split()];"
    "exec(parts[0])"
)
#: Isolated, and without site: nothing of the host's own Python packages is imported.
FLAGS = "-I -S -c"
#: The shell reads what was sent, so that it does not look like a connection that broke.
FINDER = (
    'for p in {pythons}; do command -v $p >/dev/null 2>&1 && exec $p {flags} "{boot}"; done; '
    'cat >/dev/null; echo "no Python 3 was found; set ansible_python_interpreter" >&2; exit 127'
)

_NO_TTY = re.compile(of_kind("sudo_tty").words, re.IGNORECASE)
#: What Ansible says where ssh took no more of its input and had not ended yet, so that nobody knows why.
_NOT_TAKEN = re.compile(
    r"data could not be sent to remote host \S+ make sure this host can be reached over ssh\W*"
    r"(\[Errno \d+\] broken pipe\W*)*\Z",
    re.IGNORECASE,
)
#: Characters of what a host said that are looked at for the reason of a failure.
_LAST_WORDS = 4096
#: The exit statuses of ssh itself, and of sshpass where a password or a host key is not taken.
_OF_THE_WAY = (255, 5, 6)

display = Display()


def sources(package: str) -> list[str]:
    """The names of a package's sources, in folders too, such as host._files; of "" those that lie in no package."""
    found = (FOLDER / package).rglob("_*.py") if package else FOLDER.glob("_*.py")
    names = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in found)
    return [name for name in names if name != SHIM and not name.endswith("__init__")]


def text_of(source: str) -> str:
    """A source by its name, made small."""
    return stripped(raw(source))


def raw(source: str) -> str:
    """A source by its name, as it is."""
    return (FOLDER / f"{source.replace('.', '/')}.py").read_text("utf-8")


@functools.cache
def packed(*packages: str) -> bytes:
    """The sources of packages with their names, compressed; kept from run to run, as a stripped source is."""
    found = [(name, raw(name)) for package in packages for name in sources(package)]

    def made() -> bytes:
        return zlib.compress(
            "\0".join(text for name, source in found for text in (name, put_off(stripped(source)))).encode(), 9
        )

    return kept("packed", "\0".join(text for one in found for text in one), made)


@functools.cache
def shim() -> bytes:
    """The first part of every program, compressed."""
    return zlib.compress(text_of(SHIM).encode(), 9)


def program(function: str, request: Mapping[str, Any]) -> bytes:
    """What goes over stdin: the lengths of the parts, then the parts."""
    parts = [shim(), zlib.compress(json.dumps(request, default=str).encode()), packed(*EVERYWHERE)]
    if function == "connectivity_probe" or request["params"].get("connectivity"):
        parts.append(packed(*PROBE))
    if request["params"].get("senders") is not None or request["params"].get("switches"):
        parts.append(packed(*SENDERS))
    if function == "telemetry_flag":
        parts.append(packed(*EDIT))
    if function == "telemetry_prove":
        parts.append(packed(*PROVE))
    if function == "analytics_events_info" or request["params"].get("events") == "disk":
        parts.append(packed(*EVENTS))
    return " ".join(str(len(part)) for part in parts).encode() + b"\n" + b"".join(parts)


#: What may go to a host beside EVERYWHERE for each module.
_BESIDE = {
    "telemetry_info": (PROBE, SENDERS, EVENTS),
    "telemetry_flag": (EDIT, SENDERS),
    "connectivity_probe": (PROBE,),
    "telemetry_prove": (PROVE,),
    "analytics_events_info": (EVENTS,),
}


def ready(function: str) -> None:
    """Load and pack what a request takes: when Ansible loads an action that makes it, before it forks for each host."""
    _options, _beside = ARGUMENTS[function], [packed(*packages) for packages in _BESIDE[function]]


# What every action that asks a host needs, for the same reason.
shim(), packed(*EVERYWHERE), ARGUMENTS["telemetry_info"]


def command(interpreter: str | None, environment: str) -> str:
    """The remote command, for a POSIX shell; without an interpreter it finds one itself."""
    if interpreter:
        return f"{environment} {interpreter} {FLAGS} {shlex.quote(BOOT)}".strip()
    script = FINDER.format(pythons=" ".join(PYTHONS), flags=FLAGS, boot=BOOT)
    return f"{environment} /bin/sh -c {shlex.quote(script)}".strip()


def without_paths(spec: Mapping[str, Any], above: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[list[str]]]:
    """An argument spec whose paths are plain text, and where they are: a ``~`` means a home on the host, not here."""
    changed, paths = {}, []
    for name, option in spec.items():
        option = dict(option)
        for key in ("type", "elements"):
            if option.get(key) == "path":
                option[key] = "str"
                paths.append([*above, name])
        if "options" in option:
            option["options"], more = without_paths(option["options"], (*above, name))
            paths += more
        changed[name] = option
    return changed, paths


@functools.cache
def checker(function: str) -> tuple[list[list[str]], ArgumentSpecValidator]:
    """Which options of a module are paths, and what checks its options."""
    spec, paths = without_paths(ARGUMENTS[function])
    return paths, ArgumentSpecValidator(spec)


def answer_of(stdout: str, begin: str, end: str) -> str | None:
    """What stands between the marks, whatever a host says before and after it; None where they are not there."""
    start = stdout.rfind(begin)
    stop = stdout.find(end, start)
    return None if start < 0 or stop < 0 else stdout[start + len(begin) : stop]


def last_line(text: str) -> str:
    """The last line that says something, made visible."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[-1][:500]) if lines else "it said nothing"


def one_line(text: str) -> str:
    """A message in one line that nothing in it can steer; it may hold what a host has said."""
    return visible(" ".join(text.split()))


@contextlib.contextmanager
def one_line_warnings() -> Iterator[None]:
    """What Ansible warns of meanwhile in one line: it repeats what a host printed beside the output of a module."""
    before = {name: vars(display).get(name) for name in ("warning", "deprecated")}

    def safe(show: Callable[..., Any]) -> Callable[..., Any]:
        # Named as Ansible names it, which newer cores do where they call it.
        return lambda msg, *more, **options: show(one_line(str(msg))[:500], *more, **options)

    for name in before:
        setattr(display, name, safe(getattr(display, name)))
    try:
        yield
    finally:
        for name, show in before.items():
            if show is None:
                delattr(display, name)
            else:
                setattr(display, name, show)


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Of the result of one of Ansible's own modules what we go by: did it fail, why, and was anything changed."""
    found: dict[str, Any] = {"changed": answer.get("changed") is True}
    if answer.get("failed") or answer.get("unreachable"):
        found.update(failed=True, msg=one_line(str(answer.get("msg") or "no message"))[:500])
    return found


def admitted(function: str, make: Callable[[], Any]) -> dict[str, Any]:
    """A module's answer as the gate lets it pass; where it does not, a failure with the reason."""
    try:
        answer = gate.admitted(function, make())
        places = answer.pop("exception", None)  # Ansible has ideas of its own of what that is
        if places:
            display.vvv(f"{function}: {places}")
        return answer
    except gate.NotAdmitted as error:
        return {"failed": True, "msg": f"its answer was not taken: {error}"}


def registered(function: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A module's result as Ansible hands it on, through the gate: core adds members of its own, which are left out."""
    known = {
        key: value
        for key, value in answer.items()
        if key in gate.known_keys(function) and (key != "exception" or isinstance(value, str))
    }  # newer cores make an object of a failure
    return admitted(function, lambda: gate.tidied(known))


@dataclass(frozen=True)
class Errand:
    """A module's options made into a program, and its output made into the module's result."""

    function: str
    params: Mapping[str, Any]
    program: bytes = b""
    begin: str = ""
    end: str = ""
    #: The result where the options are wrong: then there is no program.
    problem: dict[str, Any] | None = None
    #: Whether it may change something on the host.
    edits: bool = False

    @classmethod
    def of(cls, name: str, arguments: Mapping[str, Any], check_mode: bool) -> Errand:
        """The errand of a module, by its full name."""
        function = name.rpartition(".")[2]
        paths, validator = checker(function)
        checked = validator.validate(dict(arguments))
        params = checked.validated_parameters
        if checked.error_messages:
            problem = checked.errors.msg
            if isinstance(checked.errors[0], UnsupportedError):
                problem = f"Unsupported parameters for ({name}) module: {problem}"
            return cls(function, params, problem={"failed": True, "msg": problem})
        begin, end = f"<cbops {secrets.token_hex(16)} ", f" {secrets.token_hex(16)} cbops>"
        return cls(
            function,
            params,
            program(
                function,
                {
                    "function": function,
                    "params": params,
                    "paths": paths,
                    "check_mode": check_mode,
                    "begin": begin,
                    "end": end,
                },
            ),
            begin,
            end,
            edits=function == "telemetry_flag" and not check_mode,
        )

    def result(self, status: int, stdout: str, stderr: str) -> dict[str, Any] | None:
        """The module's result; None where the host refuses what is piped."""
        answer = answer_of(stdout, self.begin, self.end)
        if answer is not None:
            return admitted(self.function, lambda: gate.read(answer))
        if status and _NO_TTY.search(stderr + stdout):
            return None
        # What a login shell or sudo says may stand in either; what is said without a failure is no reason.
        words = f"{stderr}\n{stdout[-_LAST_WORDS:]}"
        failure = failure_of(words, let_in=status not in _OF_THE_WAY) if status else None
        return {
            "failed": True,
            "rc": status,
            "msg": explained(words, failure)
            if failure
            else f"the program on the host ended without an answer (exit status {status}): {last_line(stderr)}",
        }


@dataclass(frozen=True)
class Known:
    """What is known of a host while its answer is waited for."""

    host: str
    settings: dict[str, Any]
    circumstances: Circumstances
    errand: Errand


def wants_terminal(connection: Any) -> bool:
    """Whether ssh is given an option to ask for a terminal, in which a program cannot be piped.

    Cores before 2.19 do not look for it.
    """
    if hasattr(connection, "_is_tty_requested"):
        return bool(connection._is_tty_requested())
    words: list[str] = []
    for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"):
        try:
            words += shlex.split(connection.get_option(name) or "")
        except KeyError:
            return False  # another plugin than ssh
    return any(re.fullmatch(r"-t+", word) for word in words) or bool(
        re.search(r"requesttty[ =]+(yes|force)", " ".join(words), re.IGNORECASE)
    )


class Carrier(Action):
    """An action that asks hosts by the carrier."""

    #: Why this host takes nothing that is piped, once it said so in this task.
    _refused: str | None = None

    def ask(self, name: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The result of one of our modules (by its full name), with check mode as the task has it.

        Raises AnsibleConnectionFailure where the host is unreachable.
        """
        result = self.in_time(lambda: self._asked(name, arguments, variables), variables)
        # What was asked, not what a host says was asked.
        result["invocation"] = {
            "module_args": dict(checker(name.rpartition(".")[2])[1].validate(dict(arguments)).validated_parameters)
        }
        return result

    def by_module(self, name: str, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """What one of Ansible's own modules did: whether it failed, why, and whether anything was changed."""
        return plain(
            self.in_time(
                lambda: self._execute_module(module_name=name, module_args=dict(options), task_vars=variables),
                variables,
            )
        )

    def record(
        self, changes: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], undoes: str | None = None
    ) -> None:
        """File what was done to the host, or refused; an audit knows by that what is no drift."""
        if not self._task.check_mode:
            record(variables, self._templar.template, changes, undoes)

    def in_time(
        self, work: Callable[[], dict[str, Any]], variables: Mapping[str, Any], more: float = 0
    ) -> dict[str, Any]:
        """What came of asking the host for something, which may take telemetry_host_limit and so many seconds more.

        A host that takes longer, or whose answer has no end, has failed. Raises AnsibleConnectionFailure.
        """
        try:
            seconds = host_limit(
                {"telemetry_host_limit": self._templar.template(variables.get("telemetry_host_limit", HOST_LIMIT))}
            )
        except PolicyError as error:
            raise AnsibleActionFail(str(error)) from error
        result: dict[str, Any] = {}
        try:
            with Deadline(seconds + more, self._connection) as deadline, one_line_warnings():
                result = work()
        except AnsibleActionFail:
            raise
        except AnsibleError as error:  # ssh repeats what a host says before it logs in
            failure = failure_of(words_of_ssh(str(error)))
            if failure is not None and failure.answered:  # sudo, of which connections plugins make errors of many kinds
                return {"failed": True, "msg": explained(words_of_ssh(str(error)), failure)}
            if not isinstance(error, AnsibleConnectionFailure):
                raise
            raise type(error)(explained(words_of_ssh(str(error)), failure)) from None
        return {"failed": True, "msg": deadline.problem} if deadline.problem else result

    def _asked(self, name: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        carrier = self._templar.template(variables.get("telemetry_carrier", "auto"))
        if carrier not in CARRIERS:
            raise AnsibleActionFail(f"telemetry_carrier must be one of {', '.join(CARRIERS)}, not {carrier!r}")
        reason = self._refused or self._cannot_pipe() if carrier != "module" else None
        if carrier != "module" and not reason:
            result = self._pipe(name, arguments, variables)
            if result is not None:
                return result
            reason = self._refused = "sudo there wants a terminal"
            self._give_terminal()
        if reason and carrier == "pipe":
            raise AnsibleActionFail(f"telemetry_carrier is pipe, and {reason}")
        if reason:
            display.v(f"{name}: sent as an ordinary module, because {reason}", host=variables.get("inventory_hostname"))
        return self._as_module(name, arguments, variables)

    def _execute_module(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """As Ansible does it; where sudo wants a terminal, once more without pipelining, which leaves it none."""
        execute = super()._execute_module
        return self.with_terminal(lambda: execute(*arguments, **options))

    def with_terminal(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What came of something that Ansible does by its own modules, done again where sudo wants a terminal."""
        result = work()
        told = "\n".join(str(result.get(key) or "") for key in ("msg", "module_stderr", "module_stdout"))
        if result.get("failed") and _NO_TTY.search(told) and self._give_terminal():
            result = work()
        return result

    def _give_terminal(self) -> bool:
        """Let commands of this task that read nothing have a terminal; False where they have one already."""
        connection = self._connection
        try:
            piped = connection.get_option("pipelining")
        except KeyError:
            return False
        connection.set_option("pipelining", False)
        return bool(piped)

    def _as_module(self, name: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The result of one of our modules as an ordinary module, through the same gate as any answer."""
        answer = self._execute_module(module_name=name, module_args=dict(arguments), task_vars=variables)
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg")))
        if answer.get("failed") and answer.get("module_stderr"):
            answer["msg"] = f"{answer.get('msg')}: {last_line(str(answer['module_stderr']))}"
        return registered(name.rpartition(".")[2], answer)

    def _cannot_pipe(self) -> str | None:
        """Why a program cannot be piped to this host, if so."""
        connection = self._connection
        plugin = f"the connection plugin {connection.transport}"
        if not (connection.has_pipelining or connection.always_pipeline_modules):
            return f"{plugin} cannot pipe"
        if getattr(connection._shell, "_IS_WINDOWS", False):
            return "it has no POSIX shell"
        become = connection.become
        # Cores before 2.19 have no such attribute: they never pipe through su, and through all else.
        if become and not getattr(become, "pipelining", become.name != "su"):
            return f"become by {become.name} cannot pipe"
        if wants_terminal(connection):
            return f"{plugin} is set to ask for a terminal"
        if C.DEFAULT_KEEP_REMOTE_FILES:
            return "remote files are to be kept"
        return None

    def _pipe(self, name: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any] | None:
        """The result by the carrier; None where the host refuses what is piped."""
        errand = Errand.of(name, arguments, bool(self._task.check_mode))
        if errand.problem:
            return errand.problem
        line = command(self._interpreter(variables), self._compute_environment_string())
        with self._piping():
            try:
                done = self._low_level_execute_command(line, in_data=errand.program)
            except AnsibleConnectionFailure as error:
                failure = failure_of(words_of_ssh(str(error)))
                # A connection that is cut is made again once, where nothing can have been begun but looking. Or ssh was
                # about to end, and why it said only then: nothing has run there, it wants all of the program.
                cut = errand.function == "telemetry_info" and failure is not None and failure.kind == "broken"
                if not cut and not _NOT_TAKEN.search(str(error)):
                    raise
                done = self._low_level_execute_command(line, in_data=errand.program)
        display.vvv(
            f"{name}: {len(errand.program)} bytes sent, exit status {done['rc']}",
            host=variables.get("inventory_hostname"),
        )
        if len(done["stdout"]) > LARGEST:
            return {"failed": True, "msg": TOO_LARGE}
        result = errand.result(done["rc"], done["stdout"], done["stderr"])
        if result is not None and result.get("failed") and done["stderr"]:
            for text in str(done["stderr"]).splitlines():
                display.vvv(f"| {visible(text)}", host=variables.get("inventory_hostname"))
        return result

    def _interpreter(self, variables: Mapping[str, Any]) -> str | None:
        """The Python that is set for the host; None where one is to be found."""
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, variables)
        value = self._templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=dict(variables)))
        return None if not value or str(value).startswith("auto") else str(value)

    @contextlib.contextmanager
    def _piping(self) -> Iterator[None]:
        """The connection's pipelining on: without, the local one gives a terminal to what asks for a password."""
        connection = self._connection
        try:
            before = connection.get_option("pipelining")
        except KeyError:
            yield
            return
        connection.set_option("pipelining", True)
        try:
            yield
        finally:
            connection.set_option("pipelining", before)


class CarriedModule(Carrier):
    """The action of a module that is carried: the task's own options, and the result as the module gives it.

    Not asynchronous: then Ansible would take the result from the host itself, past the gate.
    """

    def checked(self) -> dict[str, Any]:
        """As they are: what asks the host checks them, and a ``~`` in a path means a home there."""
        return dict(self._task.args)

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask the host."""
        return self.ask(self._task.action, arguments, variables)
