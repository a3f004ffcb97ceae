# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh, sudo and Python say when they fail: which failure it is, in one sentence, and what mends it.

One table for every way in which a host is asked; nothing is read or run here. The words may be a host's own: they
choose between ``unknown`` and ``unreachable`` and a sentence for a person, nothing else. Private to this collection.
Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

#: Characters of a failure's own words that are shown.
LONGEST = 300
#: So many of the first and of the last lines of what was said are looked at, and characters of each line: what tells
#: failures takes time by the square of that, and a host may say megabytes while others wait.
_MOST, _WIDE = 50, 1000
#: How it begins (_carrier.py) where our program was started, and none of these failures tells why it said nothing.
_ENDED = "the program on the host ended without an answer"


class Failure(NamedTuple):
    """A kind of failure."""

    kind: str
    #: True where the host let us in, so that it is ``unknown`` what is there; else it is ``unreachable``.
    answered: bool
    #: What is so, without an end.
    sentence: str
    #: What a person does about it.
    mend: str
    #: How it is told by what was said; case does not count.
    words: str
    #: Whether all that was said is shown, because no single line of it tells.
    whole: bool = False


_LOOK_AT_IT = "compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) before you"

#: The first whose words are there is it.
FAILURES: tuple[Failure, ...] = (
    # -- ssh: the host was not reached, or did not let us in ------------------------------------------------------
    Failure(
        "ssh_config",
        False,
        "ssh does not understand how it is set up here",
        "correct the ssh configuration, or ansible_ssh_common_args",
        r"bad configuration option|bad ssh2? .*spec|can't open user config file|terminating, \d+ bad config"
        r"|keyword .* extra arguments|unknown (key|cipher|mac) (types|type)|illegal option|command-line line \d+",
    ),
    Failure(
        "ssh_program",
        False,
        "the control node lacks a program to log in with",
        "install it on the control node, or log in with a key",
        r"install the sshpass program|no such file or directory: b?'?(/\S*/)?(ssh|sshpass)'?",
    ),
    Failure(
        "way",
        False,
        "the way there, a jump host or a ProxyCommand, ended",
        "log in to the jump host by hand (ssh -v), and see that it can reach the host",
        r"unknown port 65535|stdio forwarding failed|channel \d+: open failed|proxycommand",
        whole=True,
    ),
    Failure(
        "name",
        False,
        "its name has no address",
        "set ansible_host to its address, or make the name known to the DNS",
        # sudo warns with these words, too, where a host does not know its own name.
        r"could not resolve hostname|^(?!.*\bsudo(-rs)?: ).*(name or service not known|nodename nor servname)",
    ),
    Failure(
        "banner",
        False,
        "what answers at its ssh port is no ssh server, or one that takes no more connections",
        "set ansible_port, or look at sshd there (MaxStartups, PerSourcePenalties, its load, a firewall)",
        r"banner exchange|connect to host .*: connection reset|protocol banner|(kex|ssh)_exchange_identification"
        r"|invalid ssh identification",
    ),
    Failure(
        "refused",
        False,
        "nothing listens at its ssh port",
        "start sshd there, or set ansible_port",
        r"connect(ion)? to .*: connection refused",
    ),
    Failure(
        "no_route",
        False,
        "there is no way to its address",
        "look whether it is up, at routes and firewalls, and at ansible_host",
        r": (no route to host|network is (unreachable|down)|host is (down|unreachable))",
    ),
    Failure(
        "timeout",
        False,
        "no answer came from its address",
        "look whether it is up, at firewalls, and at ansible_host",
        r"connect(ion)? to .*: (connection|operation) timed out|connection timed out",
    ),
    Failure(
        "key_revoked",
        False,
        "its ssh host key is marked as revoked",
        "find out who has the key that was revoked; do not connect",
        r"revoked host key|marked as revoked",
    ),
    Failure(
        "key_changed",
        False,
        "its ssh host key is another than the known one",
        f"find out why: {_LOOK_AT_IT} replace the old one in known_hosts (ssh-keygen -R)",
        r"remote host identification has changed|host key for .* has changed|possible dns spoofing",
    ),
    Failure(
        "key_unknown",
        False,
        "its ssh host key is not known here",
        f"{_LOOK_AT_IT} add it to known_hosts",
        r"host key verification failed|host key is known for",
    ),
    Failure(
        "algorithms",
        False,
        "ssh here and sshd there have no common algorithm",
        "update the older of the two, or allow an algorithm for this host in ssh_config",
        r"unable to negotiate|no matching \S+( \S+)? (method|key type|cipher|mac|compression)|no hostkey alg",
    ),
    Failure(
        "account",
        False,
        "its account there is closed",
        "renew the account (chage -l USER), or set ansible_user to another",
        r"account has expired|account is currently not available|password change required"
        r"|your password has expired|required to change your password|not permitted to log in|pam_nologin"
        r"|account is (locked|not available)",
    ),
    Failure(
        "key_file",
        False,
        "the private key here may not be used",
        "give the key file to its owner alone (chmod 600)",
        r"unprotected private key|bad permissions",
    ),
    Failure(
        "login",
        False,
        "it does not let us log in",
        "set ansible_user and ansible_ssh_private_key_file, put the public key into its authorized_keys, or look "
        "at AllowUsers in its sshd_config",
        r"permission denied \([a-z-]+[^)]*\)|invalid/incorrect (username/)?password|too many auth\w+ failures"
        r"|no (more|supported) authentication methods|authentication failed\.|permission denied, please try again",
    ),
    # -- sudo: we are in, and may not look ------------------------------------------------------------------------
    Failure(
        "sudo_tty",
        True,
        "sudo there wants a terminal (requiretty)",
        "leave telemetry_carrier at auto, or write Defaults:USER !requiretty into its sudoers",
        r"must have a tty|no tty present",
    ),
    Failure(
        "sudo_wrong_password",
        True,
        "sudo there does not take the password",
        "correct ansible_become_password",
        r"incorrect (sudo|become|doas|su) password|incorrect (password|authentication) attempt|sorry, try again"
        r"|authentication failed, try again",
    ),
    Failure(
        "sudo_not_allowed",
        True,
        "sudo there does not allow it to this user",
        "add a line to its sudoers, such as USER ALL=(root) NOPASSWD: ALL, or set ansible_user to another",
        r"not in the sudoers|is not allowed to (execute|run)|may not run sudo|i'm afraid i can't do that",
    ),
    Failure(
        "sudo_user",
        True,
        "there is no such user there to become",
        "correct ansible_become_user",
        r"unknown user|sudo\S*: (user|account) .*not (found|exist)",
    ),
    Failure(
        "sudo_password",
        True,
        "sudo there wants a password, or does not allow it to this user",
        "set ansible_become_password (in a vault), or write USER ALL=(root) NOPASSWD: ALL into its sudoers",
        r"a password is required|no password was provided|missing (sudo|become|doas|su) password"
        r"|interactive authentication is required|(escalation|password) prompt|a terminal is required to",
    ),
    Failure(
        "no_sudo",
        True,
        "there is no sudo there",
        "install sudo, log in as root (ansible_become: false), or set ansible_become_exe",
        r"\bsudo\S*: (inaccessible or )?(command )?not found|\bsudo\S*: no such file",
    ),
    # -- the host itself ------------------------------------------------------------------------------------------
    Failure(
        "disk_full",
        True,
        "a file system there is full",
        "make room there (df -h, df -i; /tmp and the user's home)",
        r"no space left on device|quota exceeded",
    ),
    Failure(
        "read_only",
        True,
        "a file system there can only be read",
        "look why it was mounted so (dmesg)",
        r"read-only file system",
    ),
    Failure(
        "no_memory",
        True,
        "it has no memory or no processes left",
        "look at its memory and at the limits of the user (ulimit -a)",
        r"cannot allocate memory|memoryerror|cannot fork|fork: |can't start new thread|out of memory",
    ),
    Failure(
        "sudo_broken",
        True,
        "sudo there is broken",
        "run visudo -c there, and look at the owner and mode of sudo and of its sudoers",
        r"must be owned by uid|setuid bit|sudoers.*(syntax|parse) error|no valid sudoers|effective uid is not 0"
        r"|sudo\S*: (unable to|error|fatal|\S*sudoers|/etc/sudo|account validation)|nosuid",
    ),
    Failure(
        "python_old",
        True,
        "its Python is too old",
        "install Python 3.6 or newer, or set ansible_python_interpreter to one",
        r"python 3\.6 or newer is needed|requires a minimum of python",
    ),
    Failure(
        "no_python",
        True,
        "no Python was found there",
        "install Python 3, or set ansible_python_interpreter to where it is",
        r"no python 3 was found|python[\d.]*'?: (inaccessible or )?(command )?(not found|no such file)"
        r"|no such file or directory:? .*python|interpreter .*was not found",
    ),
    Failure(
        "python_broken",
        True,
        "its Python does not run",
        "run python3 -c 'import json, zlib' there, or set ansible_python_interpreter to one that does",
        r"(python.*|\bsh: (line )?\d*:? ?\S+): (permission denied|cannot execute|bad interpreter|is a directory)"
        r"|error while loading shared libraries"
        r"|init_fs_encoding|no module named .?(encodings|json|zlib|io)\b|exec format error",
    ),
    # -- a connection that was there ------------------------------------------------------------------------------
    Failure(
        "closed",
        False,
        "it closed the connection before it let us in",
        "look at its journal (sshd, PAM, /run/nologin), and whether it is starting or going down",
        r"^connection (closed|reset) by \S+ port \d+",
    ),
    Failure(
        "broken",
        False,
        "the connection to it broke in the middle",
        "run it again; where it breaks each time, look at its journal (sshd, out of memory) and the network",
        r"closed by (remote host|\S+ port)|broken pipe|connection reset|timeout, server .* not responding"
        r"|client_loop|connection (was )?(closed|aborted|lost)|shared connection to|disconnected from"
        r"|disconnect(ing|ed)? |mux_client|the connection ended|channel closed|data could not be sent to",
    ),
    Failure("sudo", True, "sudo there refuses", "run sudo -n true there as this user", r"^\s*(\w+: )?sudo(-rs)?: "),
)

_BY_KIND = {failure.kind: failure for failure in FAILURES}
#: What ssh says at -v, what surrounds its warnings, and what sudo says and goes on.
_NOISE = re.compile(r"debug[123]: |OpenSSH_|@+$|sudo: unable to resolve host ")

#: What Ansible says before it repeats what ssh said.
_ABOUT_SSH = re.compile(r"\A.*?(?:Failed to connect to the host via ssh: |can be reached over ssh: )(?=.)", re.DOTALL)


def _tells(failure: Failure, text: str) -> bool:
    """Whether it is told by this. Compiled here, which ``re`` remembers: where nothing fails nobody asks for any."""
    return bool(re.search(failure.words, text, re.IGNORECASE | re.MULTILINE))


def words_of_ssh(message: str) -> str:
    """Why ssh could not connect, in its own words.

    Ansible's differ from run to run: whether ssh ended before or after it had taken all of the program.
    """
    return _ABOUT_SSH.sub("", message)


def _lines(said: str) -> list[str]:
    """The lines that say something, of more than anybody reads the first and the last."""
    found = (line.strip().strip("@").strip() for line in said.splitlines() if not _NOISE.match(line.strip()))
    lines = [line for line in found if line]
    if len(lines) > 2 * _MOST:
        lines = [*lines[:_MOST], *lines[-_MOST:]]
    return [line if len(line) <= 2 * _WIDE else f"{line[:_WIDE]} {line[-_WIDE:]}" for line in lines]


def failure_of(said: str, let_in: bool = False) -> Failure | None:
    """Which failure it is that said so; None where it is none of these.

    ``let_in``: ssh itself did not fail, so that whatever sounds like it is somebody else's. Only that an account
    is closed a login shell says, too.
    """
    if said.startswith(_ENDED):
        return None  # what it said was looked at then
    text = "\n".join(_lines(said))
    possible = (one for one in FAILURES if not let_in or one.answered or one.kind == "account")
    found = next((one for one in possible if _tells(one, text)), None)
    if found is not None and not let_in and found.kind not in ("way", *_MAY_BE_CUT) and _CUT_OFF.search(text):
        return of_kind("broken")  # so it was there: the other words are what a program of the host's own has said
    return found


def explained(said: str, failure: Failure | None = None) -> str:
    """A failure in one line: the sentence, the words by which it was told, what mends it; else the words alone.

    What is explained already stays as it is.
    """
    lines = _lines(said)
    whole = visible(" ".join((" ".join(lines) or said).split()))
    if kind_of(whole):
        return whole[: 2 * LONGEST]
    failure = failure or failure_of(said)
    if failure is None:
        return whole[: LONGEST + 200]
    line = whole if failure.whole else next((line for line in lines if _tells(failure, line)), whole)
    return f"{failure.sentence} ({_shortened(visible(' '.join(line.split())))}); {failure.mend}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def of_kind(kind: str) -> Failure:
    """The failure of this name."""
    return _BY_KIND[kind]


#: What ssh says of a connection that was there, whatever it was cut by; and kinds of failures that may be that.
_CUT = re.compile(
    r"client_loop|read from remote host|connection to \S+ closed by remote host|not responding"
    r"|packet_write|dispatch_run_fatal|write failed",
    re.IGNORECASE,
)
_MAY_BE_CUT = ("broken", "closed")
#: What it says of a connection into which it had let us, at the beginning of a line.
_CUT_OFF = re.compile(
    r"^(client_loop: |read from remote host |connection to \S+ closed by remote host"
    r"|timeout, server \S+ not responding)",
    re.IGNORECASE | re.MULTILINE,
)


def was_there(said: str) -> bool:
    """Whether a connection of which ssh says so may have been there: nobody knows then how far the host came."""
    failure = _failure_in(said)
    return failure is None or failure.answered or failure.kind in _MAY_BE_CUT or bool(_CUT.search(said))


#: Before these nothing of ours has begun on the host. sudo says other things, too, of a command that it does run.
_BEFORE_ALL = (
    *("sudo_tty", "sudo_wrong_password", "sudo_not_allowed", "sudo_user", "sudo_password", "no_sudo"),
    *("no_python", "python_old"),
)


def never_began(said: str) -> bool:
    """Whether a failure, explained or not, is one that leaves no doubt: the program did not start there."""
    failure = _failure_in(said)
    return (failure is not None and failure.kind in _BEFORE_ALL) or not was_there(said)


def _failure_in(said: str) -> Failure | None:
    """Which failure it is, explained or not."""
    kind = kind_of(said)
    return of_kind(kind) if kind else failure_of(said)


def kinds() -> Sequence[str]:
    """The names of all failures, in the order in which they are looked for."""
    return tuple(_BY_KIND)


def kind_of(text: str) -> str | None:
    """Which failure was explained; None where none was."""
    return next((failure.kind for failure in FAILURES if text.startswith(f"{failure.sentence} (")), None)
