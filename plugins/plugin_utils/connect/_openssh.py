# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ssh would log in somewhere: its own configuration, as it says itself (``ssh -G``).

Private to this collection. Runs on the control node. No setting of ssh_config is read by us, so each means here what
it means there; what we cannot do as ssh would is a reason to leave the host to ssh.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Settings = dict[str, list[str]]

#: What makes one host's settings differ from another's in ways that only ssh knows.
_CONDITION = re.compile(r'^\s*"?(?:match\b|include\b.*%|host\b.*\\)', re.IGNORECASE | re.MULTILINE)
#: The patterns of a block.
_HOST = re.compile(r'^\s*"?host"?(?:\s*=\s*|\s+)(.*)$', re.IGNORECASE | re.MULTILINE)
_READ = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
_TOKEN = re.compile(r"%[hnkC]")
#: Settings that are not looked at; some hold tokens of the host.
_PASSED_OVER = ("host", "hostname", "controlpath", "localcommand", "proxycommand")
#: Settings that ``login_of`` and ``OpenSSH`` turn into a login.
_HANDLED = {
    "host",
    "hostname",
    "port",
    "user",
    "addressfamily",
    "connecttimeout",
    "batchmode",
    "requesttty",
    "identityfile",
    "identitiesonly",
    "identityagent",
    "preferredauthentications",
    "pubkeyauthentication",
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "pubkeyacceptedalgorithms",
    "requiredrsasize",
    "userknownhostsfile",
    "globalknownhostsfile",
    "hostkeyalias",
    "stricthostkeychecking",
    "hostkeyalgorithms",
    "kexalgorithms",
    "ciphers",
    "macs",
    "proxyjump",
    "proxycommand",
    "sendenv",
}
#: Settings that change neither whom we trust nor what the host is asked.
_HARMLESS = {
    # What ssh shows or writes into logs.
    "loglevel",
    "logverbose",
    "syslogfacility",
    "fingerprinthash",
    "visualhostkey",
    "escapechar",
    "enableescapecommandline",
    # How a connection is kept; ours lasts for one question.
    "controlmaster",
    "controlpath",
    "controlpersist",
    "serveraliveinterval",
    "serveralivecountmax",
    "tcpkeepalive",
    "compression",
    # What ssh remembers for another time.
    "hashknownhosts",
    "updatehostkeys",
    "addkeystoagent",
    # What would be lent to the host; an audit uses none of it, so it is not lent.
    "forwardagent",
    "forwardx11trusted",
    # A way to log in that we do not have: where no key of ours is taken, the host is left to ssh anyway.
    "gssapiauthentication",
    "gssapikeyexchange",
    "gssapidelegatecredentials",
    "gssapitrustdns",
    "gssapikexalgorithms",
    "gssapirenewalforcesrekey",
    "gssapiclientidentity",
    "gssapiserveridentity",
    "hostbasedacceptedalgorithms",
    # Certificates of hosts: where known_hosts names an authority for a host, it is left to ssh anyway.
    "casignaturealgorithms",
}
#: What a default asks for in some version of ssh, and we do not do.
_NOT_AS_IN_ALL = {"checkhostip": ["no"]}
#: Variables that distributions let ssh send, and that change no answer.
_SENT = re.compile(r"LANG|LANGUAGE|LC_[A-Z*]+|XMODIFIERS|COLORTERM|NO_COLOR")
SECONDS = 20


class Unserved(Exception):
    """This host is for ssh; the message says why."""


@dataclass(frozen=True)
class Login:
    """All that is needed to log in to a host, or to a host on the way there."""

    hostname: str
    port: int
    user: str
    identities: tuple[str, ...]
    identities_only: bool
    agent: str | None
    known_hosts: tuple[str, ...]
    alias: str | None
    strict: bool
    connect_timeout: float
    address_family: str
    kex: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    host_keys: tuple[str, ...]
    methods: tuple[str, ...]
    signatures: tuple[str, ...]
    rsa_bits: int
    via: Login | None = None


def parse(text: str) -> Settings:
    """What ``ssh -G`` printed: values by the setting's name."""
    found: Settings = {}
    for line in text.splitlines():
        name, _blank, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def ask(arguments: Sequence[str], host: str) -> tuple[Settings, list[str]]:
    """The settings for a host, and the files that they came from. Raises Unserved."""
    try:
        done = subprocess.run(
            [*arguments, "-v", "-G", "--", host],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unserved(f"ssh cannot say how it would log in: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if not line.startswith(("debug", "OpenSSH_"))]
        raise Unserved(f"ssh cannot say how it would log in: {said[-1] if said else done.returncode}")
    return parse(done.stdout), _READ.findall(done.stderr)


def is_anybodys(settings: Settings, host: str) -> bool:
    """Whether a host's settings have nothing of its name in them."""
    values = [value for name, items in settings.items() if name not in _PASSED_OVER for value in items]
    return (
        settings.get("hostname") == [host]
        and _one(settings, "canonicalizehostname") in ("", "no", "false")
        and not any(_TOKEN.search(value) or host in value for value in values)
    )


class Blocks:
    """The ``Host`` lines of a configuration: hosts that the same of their patterns match have the same settings."""

    def __init__(self, files: Sequence[str]) -> None:
        texts = [Path(path).read_text("utf-8", "replace") for path in files]
        self.conditional = any(_CONDITION.search(text) for text in texts)
        # Whatever else is in such a line, a comment for one, only makes for finer differences.
        found = {
            part.lstrip("!")
            for text in texts
            for line in _HOST.findall(text)
            for part in re.split(r"""[\s"',]+""", line)
        }
        self._names = {word for word in found if not set(word) & set("*?")}
        self._patterns = [
            re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern))
            for pattern in sorted(found - self._names)
        ]

    def of(self, host: str) -> tuple[str, ...] | None:
        """The patterns that match a host; None where its settings are its own, or only ssh knows whose else."""
        # Versions of ssh differ in whether case counts.
        if self.conditional or host in self._names or host != host.lower():
            return None
        return tuple(pattern.pattern for pattern in self._patterns if pattern.fullmatch(host))


class OpenSSH:
    """Asks ssh, once for all hosts for which its answer is the same. Used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[tuple[str, ...], Blocks] = {}
        self._shared: dict[tuple[tuple[str, ...], tuple[str, ...]], Settings | None] = {}
        self._own: dict[str, Settings] = {}

    def settings(self, arguments: tuple[str, ...], host: str) -> Settings:
        """The settings for a host, with these arguments of ssh before its name. Raises Unserved."""
        with self._lock:
            blocks = self._blocks.get(arguments)
            block = blocks.of(host) if blocks is not None else None
            if blocks is None or (block is not None and (arguments, block) not in self._shared):
                settings, files = ask(arguments, host)
                self._blocks[arguments] = blocks = blocks or Blocks(files)
                block = blocks.of(host)
                if block is not None:
                    self._shared[arguments, block] = settings if is_anybodys(settings, host) else None
                return settings
            shared = self._shared[arguments, block] if block is not None else None
        return {**shared, "hostname": [host]} if shared is not None else ask(arguments, host)[0]

    def login(self, arguments: tuple[str, ...], host: str) -> Login:
        """How to log in to a host. Raises Unserved."""
        settings = self.settings(arguments, host)
        return login_of(settings, self._defaults(arguments[0]), self._via(settings, arguments))

    def _defaults(self, executable: str) -> Settings:
        """What this ssh does by itself. Raises Unserved."""
        with self._lock:
            if executable not in self._own:
                self._own[executable] = ask((executable, "-F", "none"), "host")[0]
            return self._own[executable]

    def _via(self, settings: Settings, arguments: tuple[str, ...]) -> Login | None:
        """The way to the host, where there is something on it."""
        jump, command = _one(settings, "proxyjump"), _one(settings, "proxycommand")
        if jump:
            via = None
            # Each is reached through the one before. They have their own settings, of the same file.
            for hop in jump.split(","):
                via = self._hop((arguments[0], *_config_file(arguments)), hop, via)
            return via
        if not command:
            return None
        words = shlex.split(command)
        forward = next((number for number, word in enumerate(words) if word == "-W"), None)
        if (
            Path(words[0]).name != "ssh"
            or forward is None
            or words[forward + 1 : forward + 2] not in (["%h:%p"], ["[%h]:%p"])
            or set(command) & set("|;&<>$`")
        ):
            raise Unserved("its ProxyCommand is not ssh -W %h:%p")
        words = [word for word in words[:forward] + words[forward + 2 :] if word not in ("-q", "-T", "-N", "--")]
        return self._hop(tuple(words[:-1]), words[-1], None)

    def _hop(self, arguments: tuple[str, ...], target: str, via: Login | None) -> Login:
        """A host on the way, as ``[user@]host[:port]``."""
        target = target.removeprefix("ssh://")
        user, at, place = target.rpartition("@")
        found = re.fullmatch(r"\[?(.+?)\]?(?::(\d+))?", place)
        if not found:
            raise Unserved(f"the jump host {target} cannot be read")
        more = (*(("-l", user) if at else ()), *(("-p", found[2]) if found[2] else ()))
        settings = self.settings((*arguments, *more), found[1])
        if via is None:
            via = self._via(settings, arguments)
        return login_of(settings, self._defaults(arguments[0]), via)


def _path(path: str, settings: Settings) -> str:
    """A path with ssh's tokens and the user's home filled in. Raises Unserved where only ssh can fill it in."""
    tokens = {
        "%%": "%",
        "%d": str(Path.home()),
        "%h": _one(settings, "hostname"),
        "%r": _one(settings, "user"),
        "%u": getpass.getuser(),
    }
    if "${" in path or not set(re.findall("%.?", path)) <= set(tokens):
        raise Unserved(f"the path {path} is not one that we can fill in")
    return re.sub("%.", lambda token: tokens[token[0]], os.path.expanduser(path))


def _set(settings: Settings, name: str) -> list[str]:
    """A setting's values; none is as good as not set."""
    return [value for value in settings.get(name, []) if value != "none"]


def _one(settings: Settings, name: str) -> str:
    """A setting's value; empty where there is none."""
    return next(iter(_set(settings, name)), "")


def _config_file(arguments: Sequence[str]) -> tuple[str, ...]:
    """The ``-F`` among the arguments of ssh: the only one that a jump inherits (ssh(1), -J)."""
    for number, word in enumerate(arguments):
        if word.startswith("-F"):
            return (word,) if len(word) > 2 else tuple(arguments[number : number + 2])
    return ()


def login_of(settings: Settings, defaults: Settings, via: Login | None) -> Login:
    """The login that settings describe. Raises Unserved.

    A setting that is not known here may be one by which ssh refuses a host (``RevokedHostKeys``), of this version or of
    one to come: where it is not as ssh has it by itself, the host is for ssh.
    """
    defaults = {**defaults, **_NOT_AS_IN_ALL}
    for name in sorted({*settings, *defaults} - _HANDLED - _HARMLESS):
        if _set(settings, name) != _set(defaults, name):
            raise Unserved(f"ssh has a setting of its own for {name}")  # not its value, which may be a secret
    if not all(_SENT.fullmatch(name) for name in settings.get("sendenv", [])):
        raise Unserved("ssh is set to send variables of the environment there")
    if _one(settings, "requesttty") in ("true", "yes", "force"):
        raise Unserved("ssh is set to ask for a terminal there")
    agent = settings.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    if agent.startswith("$") or agent == "SSH_AUTH_SOCK":
        agent = os.environ.get(agent.lstrip("$"), "")
    known = [
        path
        for name in ("userknownhostsfile", "globalknownhostsfile")
        for path in shlex.split(" ".join(_set(settings, name)))
    ]
    methods = _one(settings, "preferredauthentications").split(",")
    allowed = [
        name
        for name, setting in (
            ("publickey", "pubkeyauthentication"),
            ("password", "passwordauthentication"),
            ("keyboard-interactive", "kbdinteractiveauthentication"),
        )
        if _one(settings, setting) not in ("no", "false")
        and (not methods[0] or name in methods)
        and (name == "publickey" or _one(settings, "batchmode") != "yes")
    ]
    return Login(
        hostname=_one(settings, "hostname"),
        port=int(_one(settings, "port") or 22),
        user=_one(settings, "user"),
        identities=tuple(_path(path, settings) for path in _set(settings, "identityfile")),
        identities_only=_one(settings, "identitiesonly") in ("yes", "true"),
        agent=os.path.expanduser(agent) if agent not in ("", "none") else None,
        known_hosts=tuple(_path(path, settings) for path in known),
        alias=_one(settings, "hostkeyalias") or None,
        strict=_one(settings, "stricthostkeychecking") not in ("no", "off", "false"),
        connect_timeout=float(_one(settings, "connecttimeout") or 0),
        address_family=_one(settings, "addressfamily") or "any",
        kex=_names(settings, "kexalgorithms"),
        ciphers=_names(settings, "ciphers"),
        macs=_names(settings, "macs"),
        host_keys=_names(settings, "hostkeyalgorithms"),
        methods=tuple(allowed),
        signatures=_names(settings, "pubkeyacceptedalgorithms"),
        rsa_bits=int(_one(settings, "requiredrsasize") or 1024),
        via=via,
    )


def _names(settings: Settings, name: str) -> tuple[str, ...]:
    return tuple(_one(settings, name).split(","))
