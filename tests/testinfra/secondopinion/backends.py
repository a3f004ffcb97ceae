"""testinfra backends that take the gatherer over stdin, check host keys and keep passwords off command lines.

testinfra's own paramiko backend accepts any host key and knows no ProxyJump, its ssh backend puts a password
on a command line, and both log the output of commands, which here holds launch files."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import time
from pathlib import Path

import paramiko
import testinfra.host
from testinfra.backend import local, ssh
from testinfra.backend import paramiko as testinfra_paramiko

from .facts import Denied, Unreachable
from .inventory import Target

DEADLINE = 180  # seconds for one answer of a host
MARK = "telemetry-gatherer-begins"


def command(target: Target) -> tuple[str, bytes]:
    """What to run on the host, and what to send in front of the script. sudo reads the password from stdin if
    it wants one; what it left is dropped up to the mark, so that a password is never taken for a command."""
    inner = f'while IFS= read -r l; do [ \\"\\$l\\" = {MARK} ] && break; done; exec /bin/sh -s'
    as_root = f'exec /bin/sh -c "{inner}"'
    if target.become is False:
        text = as_root
    else:
        how = '-S -p ""' if target.become_password else "-n"
        sudo = f'sudo {how} -u {target.become_user} /bin/sh -c "{inner}"'
        whoever = f'[ "$(id -un)" = {target.become_user} ]'
        text = f"if {whoever}; then {as_root}; fi; exec {sudo}"
    head = f"{target.become_password}\n{MARK}\n" if target.become_password else f"{MARK}\n"
    return f"exec /bin/sh -c '{text}'", head.encode()


def answer(target: Target, rc: int, out: bytes, err: bytes) -> bytes:
    if b"@begin" in out:
        return out
    # Only sentences of sudo and of the shell are shown, never what a host may have echoed.
    text = err.decode("utf-8", "replace")
    for phrase, advice in (
        (
            "password is required",
            "sudo wants a password: set ansible_become_password (vaulted), or NOPASSWD for this user",
        ),
        ("incorrect password", "sudo refuses ansible_become_password"),
        ("no password was provided", "sudo refuses ansible_become_password"),
        ("try again", "sudo refuses ansible_become_password"),
        ("not in the sudoers", f"{target.user or 'the user'} is not allowed to use sudo on this host"),
        ("not allowed to execute", f"{target.user or 'the user'} may not run /bin/sh with sudo on this host"),
        ("must have a tty", "sudo on this host wants a terminal (requiretty)"),
        ("sudo: not found", "there is no sudo on this host: connect as root, or install sudo"),
        ("not found", "there is no sudo on this host: connect as root, or install sudo"),
        ("unknown user", f"there is no user {target.become_user} on this host"),
    ):
        if phrase in text:
            raise Denied(advice)
    raise Denied(f"no shell of root's could be started on this host (exit code {rc})")


class Feeding:
    """What the three backends have in common: one script in, one answer out."""

    target: Target

    def feed(self, script: bytes) -> bytes:
        remote, head = command(self.target)
        rc, out, err = self._talk(remote, head + script)
        return answer(self.target, rc, out, err)

    def _talk(self, remote: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        raise NotImplementedError


def run(argv: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=DEADLINE, check=False)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"no complete answer within {DEADLINE} s") from None
    except OSError as problem:
        raise Unreachable(f"{argv[0]} cannot be started: {problem.strerror}") from None
    return done.returncode, done.stdout, done.stderr


class Local(Feeding, local.LocalBackend):
    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def _talk(self, remote: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        return run(["/bin/sh", "-c", remote], stdin)


class Ssh(Feeding, ssh.SshBackend):
    """OpenSSH's client: knows everything that the user's ssh configuration can say."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.address, timeout=target.timeout)
        self.target = target

    def _talk(self, remote: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        target = self.target
        if target.password:
            raise Unreachable("the ssh backend takes no ansible_password: use a key, or the paramiko backend")
        argv = ["ssh", "-T", *target.ssh_args, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={target.timeout}"]
        if not target.check_host_keys:
            argv += ["-o", "StrictHostKeyChecking=no"]
        if target.port:
            argv += ["-p", str(target.port)]
        if target.user:
            argv += ["-l", target.user]
        if target.key_file:
            argv += ["-i", target.key_file]
        rc, out, err = run([*argv, "--", target.address, remote], stdin)
        if rc == 255 and b"@begin" not in out:
            lines = [line for line in err.decode("utf-8", "replace").splitlines() if line and line[0] != "@"]
            raise Unreachable("ssh: " + lines[-1].removeprefix("ssh: ")[:200] if lines else "ssh gives no reason")
        return rc, out, err


def ssh_settings(target: Target) -> tuple[dict, str]:
    """What ssh's configuration says about a host, as paramiko reads it, and the file it came from."""
    file, options = "", {}
    arguments = iter(target.ssh_args)
    for one in arguments:
        if one[:2] in ("-F", "-o", "-J", "-i", "-p", "-l") and not one.startswith("--"):
            value = one[2:] or next(arguments, "")
            if one[:2] == "-F":
                file = value
            elif one[:2] == "-o":
                key, _unused, text = value.replace("=", " ", 1).strip().partition(" ")
                options.setdefault(key.lower(), text.strip().strip('"'))
            else:
                key = {"-J": "proxyjump", "-i": "identityfile", "-p": "port", "-l": "user"}[one[:2]]
                options.setdefault(key, value)
    path = Path(file).expanduser() if file else Path.home() / ".ssh" / "config"
    settings: dict = {}
    if path.is_file():
        config = paramiko.SSHConfig()
        config.parse(with_includes(path, 0))
        try:
            settings = dict(config.lookup(target.address))
        except paramiko.ConfigParseError as problem:
            raise Unreachable(f"paramiko cannot use {path}: {problem}; try --connection=ssh") from None
    elif file and file != "none":
        raise Unreachable(f"the ssh configuration {file} does not exist")
    for key, value in options.items():
        settings[key] = [value] if key == "identityfile" else value
    return settings, str(path) if path.is_file() else ""


def with_includes(path: Path, depth: int) -> list[str]:
    """The lines of an ssh configuration, Include followed: paramiko does not."""
    out: list[str] = []
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.replace("=", " ", 1).split()
            if words and words[0].lower() == "include" and depth < 8:
                for pattern in words[1:]:
                    full = Path(pattern).expanduser()
                    base = full if full.is_absolute() else Path.home() / ".ssh" / pattern
                    for one in sorted(base.parent.glob(base.name)):
                        out += with_includes(one, depth + 1)
            else:
                out.append(line)
    return out


class Paramiko(Feeding, testinfra_paramiko.ParamikoBackend):
    def __init__(self, target: Target) -> None:
        super().__init__(target.address, timeout=target.timeout)
        self.target = target

    @functools.cached_property
    def client(self) -> paramiko.SSHClient:
        target = self.target
        settings, config_file = ssh_settings(target)
        name = settings.get("hostname", target.address)
        port = int(target.port or settings.get("port") or 22)
        client = paramiko.SSHClient()
        self._host_keys(client, settings, name, port)
        options: dict = {
            "hostname": name,
            "port": port,
            "username": target.user or settings.get("user"),
            "timeout": target.timeout,
            "banner_timeout": target.timeout + 10,
            "auth_timeout": target.timeout + 10,
        }
        keys = (
            [target.key_file]
            if target.key_file
            else [os.path.expanduser(one) for one in settings.get("identityfile", [])]
        )
        keys = [one for one in keys if Path(one).is_file()]
        if keys:
            options["key_filename"] = keys
            if settings.get("identitiesonly", "no") == "yes" or target.key_file:
                options.update(allow_agent=False, look_for_keys=False)
        if target.password:
            options["password"] = target.password
        jump = settings.get("proxyjump", "none")
        if settings.get("proxycommand", "none") != "none":
            options["sock"] = paramiko.ProxyCommand(
                settings["proxycommand"].replace("%h", name).replace("%p", str(port))
            )
        elif jump != "none":
            hops = jump.split(",")
            via = ["ssh", *(["-F", config_file] if config_file else []), "-o", "BatchMode=yes"]
            via += (["-J", ",".join(hops[:-1])] if hops[1:] else []) + ["-W", f"[{name}]:{port}", hops[-1]]
            options["sock"] = paramiko.ProxyCommand(" ".join(via))
        client.connect(**options)
        return client

    def _host_keys(self, client: paramiko.SSHClient, settings: dict, name: str, port: int) -> None:
        """Known hosts as ssh would take them. paramiko refuses a key that changed in any case."""
        strict = str(settings.get("stricthostkeychecking", "ask")).lower()
        if not self.target.check_host_keys or strict in ("no", "off"):
            # As ssh does: an unknown key passes, and so does a changed one.
            client.set_missing_host_key_policy(testinfra_paramiko.IgnorePolicy())
            return
        for files in (settings.get("userknownhostsfile", "~/.ssh/known_hosts"),
                      settings.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts")):  # fmt: skip
            whole = os.path.expanduser(files.strip('"'))
            for one in [whole] if Path(whole).is_file() else files.split():
                with contextlib.suppress(OSError, paramiko.SSHException):
                    client.load_system_host_keys(os.path.expanduser(one))
        alias = settings.get("hostkeyalias")
        if alias:
            known = client._system_host_keys.lookup(alias) or {}
            entry = name if port == 22 else f"[{name}]:{port}"
            for kind, key in known.items():
                client.get_host_keys().add(entry, kind, key)
        if strict == "accept-new":
            client.set_missing_host_key_policy(testinfra_paramiko.IgnorePolicy())
        else:
            client.set_missing_host_key_policy(paramiko.RejectPolicy())

    def _talk(self, remote: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        try:
            return self._exchange(remote, stdin)
        except paramiko.BadHostKeyException:
            raise Unreachable("its host key is not the known one: find out why before you connect") from None
        except paramiko.PasswordRequiredException:
            raise Unreachable("the private key has a passphrase: load it into ssh-agent") from None
        except paramiko.AuthenticationException as problem:
            raise Unreachable(f"login refused: {problem}") from None
        except paramiko.ssh_exception.NoValidConnectionsError as problem:
            first = next(iter(problem.errors.values()), None)
            raise Unreachable(f"no connection: {getattr(first, 'strerror', None) or problem}") from None
        except (TimeoutError, socket.timeout):
            raise Unreachable(f"no answer within {self.target.timeout} s") from None
        except socket.gaierror as problem:
            raise Unreachable(f"its name does not resolve: {problem.strerror}") from None
        except paramiko.SSHException as problem:
            text = str(problem)
            if "not found in known_hosts" in text:
                text = "its host key is not known: connect once with ssh and accept it (or set host_key_checking)"
            raise Unreachable(text) from None
        except OSError as problem:
            raise Unreachable(f"no connection: {problem.strerror or type(problem).__name__}") from None
        except EOFError:
            raise Unreachable("the connection was closed") from None

    def _exchange(self, remote: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        transport = self.client.get_transport()
        assert transport is not None
        channel = transport.open_session(timeout=self.target.timeout)
        channel.settimeout(DEADLINE)
        channel.exec_command(remote)
        with contextlib.suppress(OSError):  # a sudo that gives up closes its end
            channel.sendall(stdin)
            channel.shutdown_write()
        out, err = bytearray(), bytearray()
        deadline = time.monotonic() + DEADLINE
        channel.settimeout(1)
        while True:
            try:
                block = channel.recv(65536)
                if not block:
                    break
                out += block
            except socket.timeout:
                if time.monotonic() > deadline:
                    channel.close()
                    raise Unreachable(f"no complete answer within {DEADLINE} s") from None
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(65536)
        status = channel.recv_exit_status()
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(65536)
        return status, bytes(out), bytes(err)


def connect(target: Target, backend: str) -> Feeding:
    if target.kind == "local":
        return Local(target)
    # Both would go on with other keys, and say nothing. With the .pub alone ssh-agent has the key.
    key = Path(target.key_file)
    if target.key_file and not key.is_file() and not Path(f"{key}.pub").is_file():
        raise Unreachable(f"the private key {key} does not exist")
    return Ssh(target) if backend == "ssh" else Paramiko(target)


def host(backend: Feeding) -> testinfra.host.Host:
    """A testinfra host on the same connection, for tests of one's own."""
    return testinfra.host.Host(backend)
