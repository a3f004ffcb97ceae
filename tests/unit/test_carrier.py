"""The carrier without a network: its program, piped into a shell as a connection would, on every Python there is."""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, shell_loader
from hostroot import FLAG, Host
from test_old_python import interpreters

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._packing import stripped

FILES = sorted(carrier.FOLDER.rglob("_[!_]*.py"))
PYTHONS = interpreters() or [sys.executable]
BEGIN, END = "<cbops begin ", " cbops end>"
SECRET = "-Djavax.net.ssl.keyStorePassword=s3cr3t"
OPTIONS: dict[str, dict[str, Any]] = {
    "telemetry_info": {"root": "/", "launch_scripts": [], "attach": "never", "connectivity": None},
    "telemetry_flag": {
        "state": "disabled",
        "root": "/",
        "launch_scripts": [],
        "name": [],
        "backup": False,
        "attach": "never",
        "run": "",
        "backup_count": 10,
        "backup_days": 365,
    },
    "connectivity_probe": {
        "endpoints": ["127.0.0.1:1"],
        "via": ["direct"],
        "timeout": 2.0,
        "tls": False,
        "http": False,
        "count": 1,
        "interval": 1.0,
        "ca_file": None,
        "public_authorities": None,
        "private_authority": False,
        "expect": "any",
    },
    "telemetry_prove": {"name": [], "launch_scripts": [], "timeout": 20},
}


def pipe(line: str, sent: bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """What a connection does with a command and its input."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        input=sent,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def asked(
    function: str,
    python: str | None = None,
    check: bool = False,
    paths: list[list[str]] | None = None,
    environment: str = "",
    **options: Any,
) -> dict[str, Any]:
    """The answer of a program that was carried."""
    sent = carrier.program(
        function,
        {
            "function": function,
            "params": {**OPTIONS[function], **options},
            "paths": paths or [],
            "check_mode": check,
            "begin": BEGIN,
            "end": END,
        },
    )
    done = pipe(carrier.command(python, environment), sent)
    answer = carrier.answer_of(done.stdout.decode(), BEGIN, END)
    assert answer is not None, done
    return gate.admitted(function, gate.read(answer))


class Without(ast.NodeTransformer):
    """Takes out of a source's tree what the carrier leaves out."""

    def generic_visit(self, node: Any) -> Any:
        """Docstrings, and what annotations leave."""
        super().generic_visit(node)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                assert isinstance(first.value.value, str)
                node.body = node.body[1:]
        for hint in ("annotation", "returns"):
            if isinstance(node, (ast.arg, ast.FunctionDef)) and hasattr(node, hint):
                setattr(node, hint, None)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        """The import of typing."""
        return None if node.module == "typing" else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """A variable's annotation."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value), lineno=0), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        """An alias of a type."""
        made = node.value.value if isinstance(node.value, ast.Subscript) else getattr(node.value, "func", node.value)
        if ast.unparse(made) in ("Dict", "List", "Tuple", "TypeVar"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """The fields of a NamedTuple, which stand in a call then."""
        if [ast.unparse(base) for base in node.bases] == ["NamedTuple"]:
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            node.body = [ast.copy_location(ast.Pass(), one) if one in fields else one for one in node.body]
            values = [ast.Constant(node.name), ast.Constant(" ".join(ast.unparse(one.target) for one in fields))]
            call = ast.Call(ast.Name("record", ast.Load()), values + [one.value for one in fields if one.value], [])
            for inner in ast.walk(call):
                ast.copy_location(inner, node.bases[0])
            node.bases = [call]
        return self.generic_visit(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(carrier.FOLDER)))
def test_a_stripped_source_is_the_same_program_on_the_same_lines(path: Path) -> None:
    source = path.read_text()
    short = stripped(source)
    before, after = Without().visit(ast.parse(source)), Without().visit(ast.parse(short))
    assert ast.dump(before) == ast.dump(after)
    assert [getattr(node, "lineno", 0) for node in ast.walk(before)] == [
        getattr(node, "lineno", 0) for node in ast.walk(after)
    ]
    assert "Copyright" not in short
    hints = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == "typing"
        for alias in node.names
    }
    assert hints.isdisjoint(node.id for node in ast.walk(ast.parse(short)) if isinstance(node, ast.Name))


@pytest.mark.parametrize("python", [None, *PYTHONS])
def test_the_answer_is_the_module_s(host: Host, python: str | None) -> None:
    host.deb(f'JAVA_ARGS="{SECRET} -Xmx1g"\n')
    root = {"root": str(host.root)}
    answer = asked("telemetry_info", python, **root)
    module = _answer.telemetry_info({**OPTIONS["telemetry_info"], **root}, False)
    for one in (answer, module):
        one["state"]["host"].pop("time")  # each has its own
    assert answer == module
    assert answer["state"]["installations"][0]["on_disk"] == "enabled"
    assert "s3cr3t" not in json.dumps(answer)


@pytest.mark.parametrize("python", PYTHONS)
def test_check_mode_arrives_and_an_edit_is_an_edit(host: Host, python: str) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    root = {"root": str(host.root)}
    before = host.read("/etc/default/cloudbees-core-cm")
    would = asked("telemetry_flag", python, check=True, **root)
    assert would["changed"]
    assert host.read("/etc/default/cloudbees-core-cm") == before
    done = asked("telemetry_flag", python, **root)
    assert done["files"][0]["after"] == would["files"][0]["after"]
    assert FLAG in host.read("/etc/default/cloudbees-core-cm")
    assert not asked("telemetry_flag", python, **root)["changed"]
    assert asked("telemetry_flag", python, state="enabled", **root)["changed"]
    assert host.read("/etc/default/cloudbees-core-cm") == before


@pytest.mark.parametrize("python", PYTHONS)
def test_the_probe_is_carried_with_what_it_needs(python: str) -> None:
    assert asked("connectivity_probe", python)["outcome"] == "refused"
    state = asked("telemetry_info", python, connectivity={**OPTIONS["connectivity_probe"]})
    assert [answer["outcome"] for answer in state["state"]["connectivity"]] == ["refused"]


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        ("telemetry_info", {"root": "relative"}, "relative: an absolute path is needed"),
        ("telemetry_prove", {"launch_scripts": ["relative"]}, "relative: an absolute path is needed"),
        ("telemetry_prove", {"timeout": 3600}, "timeout: from 5 to 60 seconds"),
        ("telemetry_flag", {"name": ["nothing"]}, "not installed here: nothing"),
        ("connectivity_probe", {"endpoints": ["one:99999"]}, "99999"),
        ("connectivity_probe", {"expect": "reachable"}, "expected 127.0.0.1:1 (direct) to be reachable: refused"),
    ],
)
def test_a_failure_is_a_failure_with_its_message(function: str, options: dict[str, Any], message: str) -> None:
    answer = asked(function, **options)
    assert answer["failed"]
    assert message in answer["msg"]


def test_a_path_means_the_host_s_home_and_environment(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    spec, paths = carrier.without_paths(carrier.ARGUMENTS["telemetry_info"])
    assert spec["root"]["type"] == "str"
    assert ["root"] in paths
    assert ["launch_scripts"] in paths
    assert ["connectivity", "ca_file"] in paths
    answer = asked("telemetry_info", paths=paths, environment=f"CBOPS_IMAGE={host.root}", root="$CBOPS_IMAGE")
    assert answer["state"]["host"]["root"] == str(host.root)


def test_only_what_is_needed_is_sent() -> None:
    def sent(function: str, **options: Any) -> int:
        return len(carrier.program(function, {"params": {**OPTIONS[function], **options}}))

    audit = sent("telemetry_info")
    assert audit < sent("telemetry_info", connectivity={"timeout": 3})
    assert audit < sent("telemetry_flag")
    assert audit < sent("telemetry_prove")


@pytest.mark.parametrize("python", PYTHONS)
def test_an_audit_of_files_imports_nothing_dear(host: Host, python: str, tmp_path: Path) -> None:
    """Each costs a host milliseconds that an audit can do without."""
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    sent = carrier.program(
        "telemetry_info",
        {
            "function": "telemetry_info",
            "params": {**OPTIONS["telemetry_info"], "root": str(host.root)},
            "paths": [],
            "check_mode": False,
            "begin": BEGIN,
            "end": END,
        },
    )
    # The answer ends the process and its child; before that, each says what was imported.
    boot = carrier.BOOT.replace(
        "exec(parts[0])",
        f"import os;end=os._exit;log=os.open('{tmp_path}/log',1025|64,0o600);"
        "os._exit=lambda n:("
        "os.write(log,(' '.join(sys.modules)+' ').encode()),end(n));"
        "exec(parts[0])",
    )
    done = pipe(f"{python} {carrier.FLAGS} {shlex.quote(boot)}", sent)
    imported = set((tmp_path / "log").read_text().split())
    assert "cbops_telemetry.shell._walk" in imported, done
    assert imported.isdisjoint(
        {
            "ast",
            "copy",
            "socket",
            "subprocess",
            "typing",
            "zipfile",
            "cbops_telemetry.running._attach",
            "cbops_telemetry.launch._service_manager",
        }
    )


def test_noise_around_the_answer() -> None:
    answer = BEGIN + json.dumps({"changed": False}) + END
    said = f'Welcome!\n{{"failed": true}}\n\n{answer}\nbye {{\n'
    assert carrier.answer_of(said, BEGIN, END) == '{"changed": false}'
    for broken in ("", BEGIN, answer[:-1], f"{END}{BEGIN}"):
        assert carrier.answer_of(broken, BEGIN, END) is None


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (f"raise KeyError('{SECRET}')", "failed: KeyError at {where}"),
        (f"raise SystemExit('{SECRET}')", "failed: SystemExit at {where}"),
        ("telemetry_info(params, check_mode)", "failed: RecursionError at {where}"),
        ("'x' * (2 << 30)", "needed more than 1073741824 bytes of memory: MemoryError at {where}"),
        ("import os; os.kill(os.getpid(), 24)", "used up its 40 seconds of CPU while it was starting"),
        ("import os; os.kill(os.getpid(), 11)", "was ended by signal 11 while it was starting"),
        ("import os; os._exit(0)", "ended without an answer while it was starting"),
    ],
)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_broken_program_says_where_and_tells_no_secret(
    python: str, mistake: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {name: carrier.text_of(name) for name in ("_answer", "host._child", "host._limits")}
    line = texts["_answer"].count("\n") + 2
    texts["_answer"] += f"def telemetry_info(params, check_mode):\n    {mistake}\n"
    words = [word for pair in texts.items() for word in pair]
    monkeypatch.setattr(carrier, "packed", lambda *names: zlib.compress("\0".join(words).encode()))
    sent = carrier.program(
        "telemetry_info",
        {"function": "telemetry_info", "params": {}, "paths": [], "check_mode": False, "begin": BEGIN, "end": END},
    )
    done = pipe(carrier.command(python, ""), sent)
    text = carrier.answer_of(done.stdout.decode(), BEGIN, END)
    assert text is not None, done
    answer = gate.admitted("telemetry_info", gate.read(text))
    assert answer["failed"]
    assert answer["msg"] == "the program on the host " + said.format(where=f"_answer.py:{line} in telemetry_info")
    assert b"s3cr3t" not in done.stderr + done.stdout


def test_a_host_without_python_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "PYTHONS", ("python9.9", "/opt/no/python"))
    done = pipe(carrier.command(None, ""), b"x" * 1_000_000)
    assert done.returncode == 127
    assert "no Python 3 was found" in carrier.last_line(done.stderr.decode())


def test_the_first_python_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "PYTHONS", ("python9.9", sys.executable))
    assert asked("connectivity_probe")["outcome"] == "refused"


@pytest.mark.parametrize(
    ("plugin", "become", "options", "reason"),
    [
        ("ssh", None, {}, None),
        ("ssh", "sudo", {}, None),
        ("ssh", "su", {}, "become by su cannot pipe"),
        ("ssh", None, {"ssh_extra_args": "-o RequestTTY=force"}, "set to ask for a terminal"),
        ("ssh", "sudo", {"ssh_common_args": "-tt"}, "set to ask for a terminal"),
        ("local", "sudo", {}, None),
        ("paramiko_ssh", None, {}, "paramiko cannot pipe"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_why_a_connection_cannot_pipe(
    plugin: str,
    become: str | None,
    options: dict[str, Any],
    reason: str | None,
    old: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By Ansible's own plugins; ``old``: become of cores before 2.19, which say nothing of pipelining."""
    connection = connection_loader.get(plugin, PlayContext())
    if plugin == "paramiko_ssh" and connection is None:
        pytest.skip("this ansible-core is one of those that came after the plugin went (2.21)")
    assert connection, f"this ansible-core has no connection plugin {plugin}"
    connection.set_options(direct=options)
    if become:
        connection.set_become_plugin(become_loader.get(become))
        if old:
            for kind in type(connection.become).__mro__:
                if "pipelining" in vars(kind):
                    monkeypatch.delattr(kind, "pipelining")
            assert not hasattr(connection.become, "pipelining")
    action = carrier.CarriedModule.__new__(carrier.CarriedModule)
    action._connection = connection
    found = action._cannot_pipe()
    assert (reason in found) if reason else found is None


def test_a_connection_that_pipes_always_or_speaks_powershell() -> None:
    """As winrm's and psrp's do, whose libraries a control node need not have."""
    connection = connection_loader.get("ssh", PlayContext())
    connection.set_options()
    action = carrier.CarriedModule.__new__(carrier.CarriedModule)
    action._connection = connection
    connection.has_pipelining = False
    assert "cannot pipe" in (action._cannot_pipe() or "")
    connection.always_pipeline_modules = True
    assert action._cannot_pipe() is None
    connection._shell = shell_loader.get("powershell")
    assert "no POSIX shell" in (action._cannot_pipe() or "")


@pytest.mark.parametrize("answer", ["{", "[1]", "[" * 200_000, '{"changed": NaN}', '{"installations": 5}'])
def test_what_is_no_answer_is_a_failure_with_a_reason(answer: str) -> None:
    errand = carrier.Errand.of("cbops.telemetry.telemetry_info", {}, False)
    result = errand.result(0, f"{errand.begin}{answer}{errand.end}", "")
    assert result is not None
    assert result.keys() == {"failed", "msg"}
    assert result["msg"].startswith("its answer was not taken: ")


def test_a_warning_is_one_line_however_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer cores name the argument; what they say is what a host printed."""
    shown: list[str] = []
    monkeypatch.setattr(carrier.display, "warning", lambda msg, **_options: shown.append(msg))
    monkeypatch.setattr(carrier.display, "deprecated", lambda msg, **_options: shown.append(msg))
    with carrier.one_line_warnings():
        carrier.display.warning("first\n::set-output::x")
        carrier.display.warning(msg="first\n::set-output::x", help_text=None)
        carrier.display.deprecated(msg="first\n::set-output::x", version="2.23")
    assert len(set(shown)) == 1 and len(shown) == 3
    assert "\n" not in shown[0]
