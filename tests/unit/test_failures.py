"""Which failure it is, by what ssh, sudo, shells and Python really said, and that each is told with what mends it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils import _failures as failures
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Errand
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import LARGEST
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    file_answer,
    problem_of,
)

#: What was printed, by programs of Debian 11 to 13 unless it says otherwise.
SAID: dict[str, tuple[str, str | None]] = {
    # OpenSSH's client.
    "a name": ("ssh: Could not resolve hostname no.such.host.invalid: Name or service not known", "name"),
    "no name server": ("ssh: Could not resolve hostname a: Temporary failure in name resolution", "name"),
    "a closed port": ("ssh: connect to host 10.77.1.19 port 2299: Connection refused", "refused"),
    "nobody's address": ("ssh: connect to host 10.77.1.250 port 22: No route to host", "no_route"),
    "no network": ("ssh: connect to host 203.0.113.9 port 22: Network is unreachable", "no_route"),
    "a black hole": ("ssh: connect to host 10.77.1.251 port 22: Connection timed out", "timeout"),
    "a black hole on macOS": ("ssh: connect to host 10.77.1.251 port 22: Operation timed out", "timeout"),
    "a mute server": (
        "Connection timed out during banner exchange\nConnection to 10.77.1.19 port 2301 timed out",
        "banner",
    ),
    "no ssh server": (
        "kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.77.1.19 port 2303",
        "banner",
    ),
    "a server that resets": (
        "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.77.1.19 port 2302",
        "banner",
    ),
    "a server that resets at once": ("ssh: connect to host 10.77.1.19 port 2304: Connection reset by peer", "banner"),
    "an old client's words": ("ssh_exchange_identification: Connection closed by remote host", "banner"),
    "another protocol": ("banner exchange: Connection to 10.77.1.19 port 80: invalid format", "banner"),
    "an unknown key": ("Host key verification failed.", "key_unknown"),
    "an unknown key, strictly": (
        "No ED25519 host key is known for 10.77.1.19 and you have requested strict checking.\n"
        "Host key verification failed.",
        "key_unknown",
    ),
    "a changed key": (
        f"{'@' * 59}\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n{'@' * 59}\n"
        "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.",
        "key_changed",
    ),
    "a revoked key": (
        f"{'@' * 59}\n@       WARNING: REVOKED HOST KEY DETECTED!               @\n{'@' * 59}\n"
        "The ED25519 host key for 10.77.1.19 is marked as revoked.\nHost key verification failed.",
        "key_revoked",
    ),
    "no key of ours": ("ansible@10.77.1.19: Permission denied (publickey).", "login"),
    "no key and no password": ("jo@h: Permission denied (publickey,gssapi-keyex,gssapi-with-mic,password).", "login"),
    "too many keys": (
        "Received disconnect from 10.77.1.19 port 22:2: Too many authentication failures\n"
        "Disconnected from 10.77.1.19 port 22",
        "login",
    ),
    "an open key file": (
        f"{'@' * 59}\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n{'@' * 59}\n"
        "Permissions 0644 for '/tmp/key' are too open.\nLoad key \"/tmp/key\": bad permissions\n"
        "ansible@10.77.1.19: Permission denied (publickey).",
        "key_file",
    ),
    "algorithms": (
        "Unable to negotiate with 10.77.1.19 port 22: no matching key exchange method found. Their offer: "
        "curve25519-sha256",
        "algorithms",
    ),
    "a jump host": (
        "ssh: connect to host 10.77.1.250 port 22: No route to host\n"
        "kex_exchange_identification: Connection closed by remote host\n"
        "Connection closed by UNKNOWN port 65535",
        "way",
    ),
    "behind a jump host": (
        "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n"
        "Connection closed by UNKNOWN port 65535",
        "way",
    ),
    "a ProxyCommand": (
        "/bin/bash: line 1: exec: nosuchprogram: not found\n"
        "kex_exchange_identification: Connection closed by remote host\n"
        "Connection closed by UNKNOWN port 65535",
        "way",
    ),
    "a wrong option": ("command-line: line 0: Bad configuration option: nosuchoption", "ssh_config"),
    "an expired account": (
        "Your account has expired; please contact your system administrator.\nConnection closed by 10.77.1.19 port 22",
        "account",
    ),
    "an expired password": (
        "You are required to change your password immediately (administrator enforced).\n"
        "WARNING: Your password has expired.\n"
        "Password change required but no TTY available.",
        "account",
    ),
    "no shell": ("This account is currently not available.", "account"),
    "a host that goes down": (
        '"System is going down. Unprivileged users are not permitted to log in anymore."\n'
        "Connection closed by 10.77.1.19 port 22",
        "account",
    ),
    "closed without a word": ("Connection closed by 10.77.1.19 port 22", "closed"),
    "killed in the middle": ("Connection to 10.77.1.19 closed by remote host.", "broken"),
    "gone in the middle": ("client_loop: send disconnect: Broken pipe", "broken"),
    "silent in the middle": ("Timeout, server 10.77.1.19 not responding.", "broken"),
    "a master that is gone": ("mux_client_request_session: read from master failed: Broken pipe", "broken"),
    "Ansible's own words": (
        'Data could not be sent to remote host "a". Make sure this host can be reached over SSH.',
        "broken",
    ),
    "ssh at -vvv": (
        "OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19\ndebug1: Connection refused, or Permission denied\n"
        "debug2: Host key verification failed.\nssh: connect to host h port 22: Connection timed out",
        "timeout",
    ),
    # sudo, as it is and as Ansible's connection plugin says it.
    "sudo asks": ("sudo: a password is required", "sudo_password"),
    "sudo asks, without one": ("ask:\nsudo: no password was provided\nsudo: a password is required", "sudo_password"),
    "sudo asks, says Ansible": ("Task failed: Missing sudo password", "sudo_password"),
    "sudo waits, says Ansible": ("Timeout (12s) waiting for privilege escalation prompt: ", "sudo_password"),
    "sudo-rs asks": ("sudo: interactive authentication is required", "sudo_password"),
    "another password": ("ask:Sorry, try again.\nask:sudo: 3 incorrect password attempts", "sudo_wrong_password"),
    "another password, says Ansible": ("Incorrect sudo password", "sudo_wrong_password"),
    "another password for sudo-rs": ("sudo: Maximum 3 incorrect authentication attempts", "sudo_wrong_password"),
    "not in sudoers": ("ask:nosudo is not in the sudoers file.", "sudo_not_allowed"),
    "another command": ("Sorry, user jo is not allowed to execute '/bin/sh -c true' as root on h.", "sudo_not_allowed"),
    "not for sudo-rs": ("sudo: I'm sorry jo. I'm afraid I can't do that", "sudo_not_allowed"),
    "requiretty": ("sudo: sorry, you must have a tty to run sudo", "sudo_tty"),
    "an unknown user": (
        "sudo: unknown user nosuchuser\nsudo: error initializing audit plugin sudoers_audit",
        "sudo_user",
    ),
    "no sudo": ("sh: 1: sudo: not found", "no_sudo"),
    "no sudo where it is said to be": ("/bin/sh: 1: /usr/local/bin/sudo: not found", "no_sudo"),
    "no sudo for bash": ("bash: line 1: sudo: command not found", "no_sudo"),
    "sudo without its bit": ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set", "sudo_broken"),
    "sudoers": (
        "sudo: parse error in /etc/sudoers near line 27\nsudo: no valid sudoers sources found, quitting",
        "sudo_broken",
    ),
    "no new privileges": (
        "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option "
        "set or an NFS file system without root privileges?",
        "sudo_broken",
    ),
    "sudo asks, and warns": (
        "sudo: unable to resolve host ci1: Name or service not known\nsudo: a password is required",
        "sudo_password",
    ),
    "sudo warns": ("sudo: unable to resolve host ci1: Name or service not known\nKilled", None),
    "sudo warns alone": ("sudo: unable to resolve host ci1: Name or service not known", None),
    "sudo in German": ("sudo: Ein Passwort ist notwendig", "sudo"),
    # The host.
    "no Python": ("no Python 3 was found; set ansible_python_interpreter", "no_python"),
    "no Python where it is said to be": ("/bin/sh: 1: /usr/bin/python9: not found", "no_python"),
    "no Python for bash": ("bash: line 1: /opt/python3: No such file or directory", "no_python"),
    "an old Python": ("Python 3.6 or newer is needed, /usr/bin/python is 2.7", "python_old"),
    "an old Python for Ansible": (
        "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8",
        "python_old",
    ),
    "no program": ("/bin/sh: 1: /etc/passwd: Permission denied", "python_broken"),
    "half a Python": (
        "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding",
        "python_broken",
    ),
    "a library": (
        "/usr/bin/python3: error while loading shared libraries: libz.so.1: cannot open shared object file",
        "python_broken",
    ),
    "a full disk": ("mkdir: cannot create directory '/home/jo/.ansible/tmp': No space left on device", "disk_full"),
    "a quota": ("cp: error writing '/tmp/x': Disk quota exceeded", "disk_full"),
    "a dead disk": ("mkdir: cannot create directory '/home/jo/.ansible': Read-only file system", "read_only"),
    "no memory": ("sh: 0: Cannot fork", "no_memory"),
    "no memory for sudo": ("sudo: unable to fork: Cannot allocate memory", "no_memory"),
    # Nothing that is known.
    "nothing": ("", None),
    "something else": ("it was eaten by the dog", None),
    "a welcome": ("Welcome to h!\nLast login: yesterday", None),
}


@pytest.mark.parametrize(("said", "kind"), SAID.values(), ids=SAID)
def test_which_failure_it_is(said: str, kind: str | None) -> None:
    found = failures.failure_of(said)
    assert (found.kind if found else None) == kind
    text = failures.explained(said)
    assert failures.explained(text) == text, "what is explained already stays as it is"
    if found:
        assert text.startswith(f"{found.sentence} (")
        assert text.endswith(f"); {found.mend}")
        assert "\n" not in text
        words = text.removeprefix(f"{found.sentence} (").removesuffix(f"); {found.mend}")
        assert words in " ".join(said.replace("@    ", "").split()), "the words are those that were said"


def test_every_failure_was_seen() -> None:
    assert set(failures.kinds()) == {kind for _said, kind in SAID.values() if kind} | {"ssh_program"}


@pytest.mark.parametrize("failure", failures.FAILURES, ids=failures.kinds())
def test_each_says_what_mends_it(failure: failures.Failure) -> None:
    """In a sentence that goes on after "its state could not be read: ", and an imperative."""
    for text in (failure.sentence, failure.mend):
        assert text[0].islower() or text.startswith("ssh")
        assert not text.endswith(".")
        assert "\n" not in text
    assert len({other.sentence for other in failures.FAILURES}) == len(failures.FAILURES)
    assert re.match(
        r"(add|compare|correct|find|give|install|leave|log|look|make|renew|run|set|start|update)\b", failure.mend
    )


def test_what_hosts_say_stays_on_one_line_and_is_no_command() -> None:
    said = "##vso[task.complete result=Succeeded]\n\x1b[2J sudo: a password is required\u202e" + "x" * 999
    text = failures.explained(said)
    assert text.startswith("sudo there wants a password")
    assert "##vso" not in text
    assert text.isprintable()
    assert len(text) < 600


@pytest.mark.parametrize("word", ["sudoers", "sudo-", "connect to host ", "python", "sudoers\n", "keyword "])
def test_a_host_that_says_too_much_costs_its_own_time_only(word: str) -> None:
    """Eight megabytes of what a pattern begins with: everybody else would wait for hours. And the reason is found."""
    said = word * (LARGEST // len(word))
    assert failures.failure_of(f"{said}\nsudo: a password is required") is failures.of_kind("sudo_password")
    assert failures.failure_of(f"sudo: a password is required\n{said}") is failures.of_kind("sudo_password")
    assert failures.was_there(said)
    assert len(failures.explained(said)) < 600


@pytest.mark.parametrize("status", [1, 126, 127, 255])
@pytest.mark.parametrize(
    ("stdout", "stderr"), [("", "sudo: a password is required\n"), ("sudo: a password is required\n", "")]
)
def test_an_answer_that_is_none(status: int, stdout: str, stderr: str) -> None:
    """Whichever way a host was asked, by a pipe or by the sweep, this makes its result."""
    errand = Errand("telemetry_info", {}, begin="<", end=">")
    told = errand.result(status, stdout, stderr)
    assert told is not None
    assert told["msg"].startswith("sudo there wants a password, or does not allow it to this user (sudo: a password")
    assert errand.result(status, "sudo: sorry, you must have a tty to run sudo", "") is None
    unknown = errand.result(status, "hello", "oops\n")
    assert unknown is not None
    assert unknown["msg"] == f"the program on the host ended without an answer (exit status {status}): oops"
    silent = errand.result(0, "sudo: a password is required", "")
    assert silent is not None
    assert "without an answer (exit status 0)" in silent["msg"]


@pytest.mark.parametrize(
    ("status", "stderr", "began"),
    [
        (137, "Killed", True),
        # A warning, and the last words of something that a login shell runs.
        (137, "sudo: unable to resolve host ci1: Name or service not known\nKilled", True),
        (1, "sudo: unable to resolve host ci1: Name or service not known", True),
        (137, "ssh: connect to host proxy port 22: Connection refused", True),
        (2, "curl: (6) Host key verification failed.\nbash: fork: Cannot allocate memory", True),
        (255, "sudo: unable to resolve host ci1: Name or service not known\nKilled", True),
        (255, "ssh: Could not resolve hostname ci1: Name or service not known", False),
        (255, "ssh: connect to host ci1 port 22: Connection refused", False),
        # Cut off, and before that the last words of something that a login shell runs.
        (255, "git@git.example: Permission denied (publickey).\nclient_loop: send disconnect: Broken pipe", True),
        (255, "ssh: connect to host git port 22: Connection refused\nTimeout, server ci1 not responding.", True),
        (255, "sudo: a password is required\nConnection to ci1 closed by remote host.", True),
        (255, "Host key verification failed.\nRead from remote host ci1: Connection reset by peer", True),
        # It was not cut off: a word is no sentence of ssh's, and the way's own end is that of the way.
        (255, "motd: client_loop: is down\nci1: Permission denied (publickey).", False),
        (255, "Connection to jump closed by remote host.\nConnection closed by UNKNOWN port 65535", True),
        (5, "ansible@ci1: Permission denied, please try again.", False),  # sshpass
        (1, "This account is currently not available.", False),  # nologin, the login shell of it
        (1, "ssh: connect to host proxy port 22: Connection refused\nsudo: a password is required", False),
    ],
)
def test_whether_an_edit_was_begun(status: int, stderr: str, began: bool) -> None:
    """What ssh alone says of the way is nothing where ssh did not fail: somebody else there has said it."""
    told = Errand("telemetry_flag", {}, begin="<", end=">").result(status, "", stderr)
    assert told is not None
    for text in (told["msg"], failures.explained(told["msg"]), problem_of(told)):
        assert failures.never_began(text) is not began, text


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (
            {
                "unreachable": True,
                "msg": "Failed to connect to the host via ssh: OpenSSH_9.2p1\ndebug1: x\n"
                "ssh: connect to host h port 22: Connection refused",
            },
            "unreachable",
            "the host did not answer: nothing listens at its ssh port (ssh: connect to host h port 22: Connection refused); "
            "start sshd there, or set ansible_port",
        ),
        ({"unreachable": True, "msg": "something else"}, "unreachable", "the host did not answer: something else"),
        (
            {"failed": True, "msg": "Task failed: Missing sudo password"},
            "unknown",
            "its state could not be read: sudo there wants a password, or does not allow it to this user (Task failed: "
            "Missing sudo password); set ansible_become_password (in a vault), or write USER ALL=(root) NOPASSWD: ALL into "
            "its sudoers",
        ),
    ],
)
def test_the_evidence_says_it(tmp_path: Path, answer: dict[str, object], verdict: str, reason: str) -> None:
    filed = file_answer("h", {"telemetry_desired": "disabled"}, answer, tmp_path, Circumstances())
    assert (filed["verdict"], filed["reasons"]) == (verdict, [reason])
