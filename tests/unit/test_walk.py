"""What a walk through a launch script decides: rows that bash and dash judge, and those that no shell could.

Most rows came from mutants of the walk that no other test saw (docs/mutation.md).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _walk
from tests.differential import compare
from tests.differential.grammar import SCRIPT, Case
from tests.differential.real import Machine, vague

BOTH, BASH, DASH = ("bash", "dash"), ("bash",), ("dash",)
JAVA = "java $O -jar /opt/app/x.war"
LOOP = "for i in %s; do exec java -Da -jar /opt/app/x.war; done"
COUNTS = "((i=0; i<$(coin && echo 1 || echo 0); i++))"
#: Options of bash that take a word.
WORDS = ("-o posix", "+o posix", "-O extglob", "+O extglob", "--rcfile /dev/null", "--init-file /dev/null")
GOES = ("declare O", "typeset O", "declare +x O", "declare O=-Dc", "declare -x P", "declare -g O", "export -n O")
STAYS = ("declare -x O", "declare -r O", "typeset -rx O", "declare -x O=-Dc", "export O=-Dc", "readonly O=-Dc")
#: What a special builtin does that does no harm: what stands before it stays in dash.
SPECIAL = (
    ":",
    "eval :",
    "export P=x",
    "readonly P=x",
    "set -f",
    "times",
    "trap - INT",
    "unset P",
    ". @HERE@/conf.d/10.sh",
)
#: Builtins that dash has not, and what they do.
MORE = (
    "source @HERE@/conf.d/10.sh",
    "declare P=x",
    "typeset P=x",
    "let 1",
    "shopt -s nullglob",
    "builtin :",
    "[[ a ]]",
)
#: What may have been done or not: who knows it, what stands before, what it is, what shows it.
MAYBE: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (BOTH, "", ". @HERE@/conf.d/10.sh", "O=$OFF"),
    (BASH, "", "source @HERE@/conf.d/10.sh", "O=$OFF"),
    (BOTH, "", "eval O=-Da", ":"),
    (BOTH, "set -- -Da", "set -- -Db", "O=$1"),
    (BOTH, "set -- -Da -Db", "shift", "O=$1"),
    (BOTH, "O=-Da", "unset O", ":"),
    (BOTH, "", "command eval O=-Da", ":"),
    (BASH, "", "builtin eval O=-Da", ":"),
    (BASH, "", "printf -v O %s -Da", ":"),
    (BASH, "", "shopt -s nullglob", "O=-Dx*"),
    (BOTH, "", "export O=-Da", ":"),
    (BOTH, "", "readonly O=-Da", ":"),
    (BASH, "", "declare O=-Da", ":"),
    (BASH, "", "typeset O=-Da", ":"),
    (BOTH, "f() { O=-Da; }", "f", ":"),
)
#: Who judges, what is decided, the text in front of ``java $O``; ``coin`` succeeds or fails.
ROWS: list[tuple[tuple[str, ...], str, str]] = [
    (BASH, "a redirection that cannot be made is a failure", "if echo x 2>&1\r\nthen O=-Da; else O=-Db; fi"),
    (BOTH, "a test joined with one that is not known", 'X=$(coin && echo y)\n[ -n a -a -n "$X" ] && O=-Da'),
    (BOTH, "a test joined with one that does not matter", 'X=$(coin && echo y)\n[ -n a -o -n "$X" ] && O=-Da'),
    (BOTH, "exec of a JVM in a branch", f"O=-Da\nif coin; then exec {JAVA}; fi\nO=-Db"),
    (BOTH, "exec of something else in a branch", "O=-Da\nif coin; then O=-Dc; exec true; fi\nO=-Db"),
    (BOTH, "a break behind what is not known", "for i in -Da -Db; do O=$i; coin && break; done"),
    (BOTH, "a continue behind what is not known", "for i in -Da; do O=-Db; coin && continue; O=$i; done"),
    (BOTH, "a return behind what is not known", "f() { coin && return; O=-Da; }\nf"),
    (DASH, "what stands before a special builtin stays", "O=-Da set -f"),
    (BASH, "what stands before a special builtin goes", "O=-Da set -f"),
    (BOTH, "a function in a function", "f() { g -Da; }\ng() { O=$1; }\nf -Db"),
    (BOTH, "a shell that is given no command", "sh -c\nO=-Da"),
    (
        BASH,
        "what BASH_ENV names is read",
        'export BASH_ENV=@HERE@/conf.d/10.sh\nbash -c "java \\$OFF -jar /opt/app/x.war"',
    ),
    (BOTH, "env takes a variable out", "export _JAVA_OPTIONS=-Da\nenv --unset=_JAVA_OPTIONS " + JAVA),
    (BOTH, "env takes another variable out", "export _JAVA_OPTIONS=-Da\nenv --unset=JAVA_OPTIONS " + JAVA),
    (BOTH, "su with a shell in one word", "su --shell=/bin/dash app -c 'O=-Da eval :; java $O -jar /opt/app/x.war'"),
    (BOTH, "su with a shell in two words", "su --shell /bin/bash app -c 'O=-Da eval :; java $O -jar /opt/app/x.war'"),
    (BASH, "a test in parentheses is joined with what stands behind it", "[[ ( -n a ) && -z a ]] && O=-Da || O=-Db"),
    (BASH, "a pattern behind one sign of equality", "[[ abc = a* ]] && O=-Da"),
    (BASH, "a pattern behind a sign of inequality", "[[ abc != a* ]] || O=-Da"),
    (BOTH, "a loop over an unknown word in quotes goes round", LOOP % '"$(coin && echo x)"'),
    (BOTH, "a loop over an unknown word may not go round", LOOP % "$(coin && echo x)"),
    (BOTH, "a loop over a word of which a part is unknown goes round", LOOP % "a$(coin && echo x)"),
    (BOTH, "nothing is read from /dev/null", "O=-Da\nwhile read -r l; do O=-Db; done </dev/null"),
    *(
        (BASH, f"what {options} takes is no program", f"bash {options} -c 'java -Da -jar /opt/app/x.war'")
        for options in WORDS
    ),
    *((BASH, f"{o} behind -c", f"bash -c {o} 'java -Da -jar /opt/app/x.war'") for o in WORDS if not o.startswith("--")),
    *(
        (BOTH, f"what stands before {name} stays where it is named", f"O=-Da {name} O")
        for name in ("export", "readonly")
    ),
    (BASH, "what stands before export goes where it is not named", "O=-Da; O=-Db export P=x"),
    (BASH, "a value stands before and behind export", "O=-Da export O=-Db"),
    *((BASH, f"what stands before {line} goes", f"O=-Da; O=-Db {line}") for line in GOES),
    *((BASH, f"what stands before {line} stays", f"O=-Da; O=-Db {line}") for line in STAYS),
    (
        BASH,
        "what stands before a declaration in a function",
        "f() { O=-Db declare O; java $O -jar /opt/app/x.war; }\nf",
    ),
    (BOTH, "what stands before unset", "O=-Da; O=-Db unset O"),
    (BASH, "what is exported in eval", "O=-Da; O=-Db eval 'export O=-Dc'"),
    (DASH, "what stands before eval may be unset in it", "O=-Dc; O=-Da eval 'unset O; O=-Db'"),
    *((BOTH, f"what stands before {line}", f"O=-Da; O=-Db {line}") for line in SPECIAL),
    (BOTH, "what stands before shift", "set -- a; O=-Da shift"),
    (BOTH, "what stands before exec", "O=-Da exec"),
    (BOTH, "what stands before break", "for i in 1; do O=-Da break; done"),
    (BOTH, "what stands before continue", "for i in 1; do O=-Da continue; done"),
    (BOTH, "what stands before return", "f() { O=-Da return; }\nf"),
    *((BOTH, f"whether there is {line}", f"{line} && O=-Da || O=-Db") for line in MORE),
    *((of, f"{line} or not", f"{first}\ncoin && {line}\n{shows}".strip()) for of, first, line, shows in MAYBE),
    *(
        (of, f"{line} in a branch", f"{first}\nif coin; then {line}; fi\n{shows}".strip())
        for of, first, line, shows in MAYBE
    ),
    (BOTH, "what fails is negated", "! false && O=-Da"),
    (BOTH, "what succeeds is negated", "! true || O=-Da"),
    (BOTH, "a pipeline is negated", "if ! echo | true; then O=-Da; else O=-Db; fi"),
    (BOTH, "what is not known is negated", "! coin || O=-Da"),
    (BASH, "a loop that calculates may not go round", LOOP.replace("i in %s", COUNTS)),
    (BASH, "some of the elements of an array", "A=(-Da -Db -Dc)\nO=${A[*]:1:1}"),
    (BASH, "the last elements of an array", 'A=(-Da -Db -Dc)\nset -- "${A[@]:1}"\nO=$1'),
    (BASH, "some of the arguments", 'set -- -Da -Db -Dc\nset -- "${@:2}"\nO=$1'),
    (BASH, "no more elements than there are", "A=(-Da -Db)\nO=${A[*]:1:7}${A[*]:2}"),
    (BASH, "the name of the script among the arguments", 'set -- -Da\nset -- "${@:0:2}"\nO=$2'),
    *(
        (BOTH, f"{line} starts nothing", f"{line} java -Da -jar /opt/app/x.war; {line} 'java -Db -jar /opt/app/x.war'")
        for line in ("echo", "printf %s", ":", "grep -q", "nohup /bin/echo", "pkill -f", "logger -t ci --")
    ),
    (BOTH, "what prints a command for a shell", "echo 'java -Da -jar /opt/app/x.war' | sh"),
    (BOTH, "a shell that is given java alone", "sh -c java -Da -jar /opt/app/x.war"),
    (BOTH, "exec behind --", "(exec -- java -Da -jar /opt/app/x.war)"),
    (BOTH, "exec under another name", "(exec -a ci java -Da -jar /opt/app/x.war)"),
    (BOTH, "what printf prints", "O=$(printf '%s %s' -Da -Db)"),
    (BOTH, "echo succeeds", "/bin/echo x >/dev/null && O=-Da || O=-Db"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start scripts in."""
    if not (shutil.which("bash") and shutil.which("dash")):
        pytest.skip("needs bash and dash")
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without anything."""
    return Host(tmp_path / "host")


@pytest.mark.parametrize(
    ("shell", "text"),
    [pytest.param(shell, text, id=f"{what}-{shell}") for shells, what, text in ROWS for shell in shells],
)
def test_what_the_shells_do(machine: Machine, shell: str, text: str) -> None:
    """The engine has each start that the shell makes, whichever way the coin falls, and no other."""
    case = Case(SCRIPT, shell, f"#!/bin/{shell}\n{text}\n{JAVA}\n")
    machine.write({machine.config: machine.fill(case.text)})
    outcome = compare._outcome(machine.config, case)[2]
    starts = compare._real(machine, machine.config, case)
    assert outcome.reason is None and outcome.walk is not None
    assert starts and {vague(vector) for vector in outcome.vectors} == {start.vector for start in starts}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (
            "if coin; then exec true; else exec false; fi\njava -jar /opt/jenkins.war",
            "unresolvable",
        ),  # it never comes to that
        (
            "shopt -s nullglob\njava -Dhost=$(hostname)-* %F -jar /opt/jenkins.war",
            "unresolvable",
        ),  # it may stand for nothing
        (
            "O=-Dc; O=-Da eval 'unset O; O=%F'\njava $O -jar /opt/jenkins.war",
            "unresolvable",
        ),  # bash assigns another then
        ("O=-Dc; O=-Da . /opt/unset.sh\njava $O -jar /opt/jenkins.war", "unresolvable"),
        ("java -Dhost=$(hostname)-* %F -jar /opt/jenkins.war", "disabled"),
        ("shopt -s nocasematch\ncase A in a) O=%F ;; esac\njava $O -jar /opt/jenkins.war", "unresolvable"),
        ("A=(-Da %F)\nN=1\njava ${A[@]:$N+0} -jar /opt/jenkins.war", "unresolvable"),
        *(
            (f"{text} -jar /opt/jenkins.war", "unresolvable")
            for text in (
                'a=($(extra) %F -Db)\njava "${a[@]:1}"',
                'a=(x$(extra) %F -Db)\njava "${a[@]:1}"',
                'a=($(extra) %F -Db)\njava "${a[1]}"',
                'set -- $(extra) %F\njava "${@:2}"',
                'set -- $(extra) %F\njava "$2"',
                'set -- $(extra) %F\nshift\njava "$@"',
                "set -- 1 2 3 4 5 6 7 8 9 %F\njava ${@:010:1}",
                "a=--%F\njava ${a:01}",
                "a=x%F\njava ${a[@]:1}",
                "shopt -s -q nocasematch\ncase A in a) O=%F ;; esac\njava $O",
                "shopt -sq nocasematch\ncase A in a) O=%F ;; esac\njava $O",
                "shopt -s -p nocasematch\ncase A in a) O=%F ;; esac\njava $O",
                "shopt -s localvar_inherit\nO=%F\nf() { local O; java $O -jar /opt/jenkins.war; }\nf\njava %F",
                "bash -O nocasematch -c 'case A in a) exec java %F -jar /opt/jenkins.war ;; esac'\njava %F",
                "bash -eO nocasematch -c 'case A in a) exec java %F -jar /opt/jenkins.war ;; esac'\njava %F",
                "shopt -s execfail\nexec /none\njava %F",
            )
        ),
        ('a=("$(extra)" %F -Db)\njava "${a[@]:1}" -jar /opt/jenkins.war', "disabled"),
        ('set -- "$(extra)" %F\nshift\njava "$@" -jar /opt/jenkins.war', "disabled"),
        ("shopt -q nocasematch\njava %F -jar /opt/jenkins.war", "disabled"),
        ("shopt -so noglob\njava %F -jar /opt/jenkins.war", "disabled"),
        ("shopt -u nocasematch\njava %F -jar /opt/jenkins.war", "disabled"),
    ],
)
def test_what_is_not_known_before_the_start(host: Host, text: str, verdict: str) -> None:
    host.script(f"#!/bin/bash\n{text}\n".replace("%F", FLAG))
    host.write("/opt/unset.sh", f"unset O\nO={FLAG}\n")
    assert host.verdict() == verdict


@pytest.mark.parametrize("line", ["perl -ne print /opt/ci/run", "curl -T /opt/ci/run http://config/"])
def test_what_reads_a_script_does_not_write_it(host: Host, line: str) -> None:
    host.write("/opt/ci/run", f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o755)
    host.script(f"#!/bin/bash\n{line}\nexec /opt/ci/run\n")
    assert host.verdict() == "disabled", host.only()[1].reason


@pytest.mark.parametrize("before", ["sudo", "sudo -u ci", "ionice -c 3 nice -n 5"])
def test_what_stands_in_front_of_a_command_does_not_hide_what_it_writes(host: Host, before: str) -> None:
    host.write("/opt/ci/run", f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o755)
    host.script(f"#!/bin/bash\n{before} cp /srv/new /opt/ci/run\nexec /opt/ci/run\n")
    assert "which may be written before" in (host.only()[1].reason or "")


PRINTED = "java -jar /opt/jenkins.war"


@pytest.mark.parametrize(
    "line",
    [
        *(
            f"echo '{PRINTED}' | {shell}"
            for shell in (
                "sh 2>&1 | logger -t cm",
                "nice sh",
                "setsid sh",
                "exec bash -s",
                "systemd-run --pipe sh",
                "{ sh; }",
                "$SHELL",
                "r",
                "cat | sh",
                "tee >(sh)",
                "cat > >(sh)",
            )
        ),
        f'sh -c "echo {PRINTED}" | sh',
        f"{{ echo '{PRINTED}' | cat; }} | sh",
        f"f() {{ a | b; echo '{PRINTED}'; }}; f | sh",
        "echo '-jar /opt/jenkins.war' | xargs java",
        f"printf '{PRINTED}' | while read c; do $c; done",
        f"cat() {{ sh; }}; echo '{PRINTED}' | cat",
        f"echo '{PRINTED}' > >(sh)",
        f"exec > >(sh); echo '{PRINTED}'",
        f"coproc sh; echo '{PRINTED}' >&${{COPROC[1]}}",
        f"sudo -u log_svc {PRINTED}",
        f"su log_svc -c '{PRINTED}'",
        f"env PAGER=/bin/true {PRINTED}",
        f"/opt/bin/log_run {PRINTED}",
        f"/opt/bin/echo {PRINTED}",
        f"log_in {PRINTED}",
        f"timeout -s kill 9 {PRINTED}",
        f'"${{UNSET-$(coin)}}"echo {PRINTED}',
    ],
)
def test_what_starts_a_jvm_without_the_flag(host: Host, line: str) -> None:
    start = f"exec java {FLAG} -jar /opt/jenkins.war"
    host.script(f"#!/bin/bash\nr() {{ bash; }}\nif coin; then {line}; exit; fi\n{start}\n")
    assert host.verdict() != "disabled"


@pytest.mark.parametrize(
    "line",
    [
        "%s",
        "%s | tee -a /var/log/ci | logger",
        "%s 2>&1 | /usr/bin/logger -t ci",
        "{ %s; } | { cat; }",
        "%s > >(logger -t ci)",
        "%s | rotatelogs /var/log/ci.%%Y 86400",
        "%s >&2",
        "a | sh; %s",
    ],
)
@pytest.mark.parametrize("name", ["echo", "/bin/echo", "nohup echo", "printf %%s", "log_daemon_msg", "einfo", ":"])
def test_what_is_printed_for_a_reader_starts_nothing(host: Host, line: str, name: str) -> None:
    said = line % (name.replace("%%", "%") + f" 'now {PRINTED}'")
    host.script(f"#!/bin/bash\n{said}\nexec java {FLAG} -jar /opt/jenkins.war\n")
    assert host.verdict() == "disabled", host.only()[1].reason


def test_what_looks_for_a_jvm_starts_none_whatever_its_output_is_given_to(host: Host) -> None:
    look = f"ps -ef | grep '{PRINTED}' | grep -v grep | awk '{{print $2}}' | xargs kill"
    host.script(f"#!/bin/bash\n{look}\nexec java {FLAG} -jar /opt/jenkins.war\n")
    assert host.verdict() == "disabled", host.only()[1].reason


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("chmod +x /opt/ci/run /opt/ci/options", "disabled"),
        ("cp /opt/ci/run /opt/ci/options /var/backups/", "disabled"),
        ("rsync -a /opt/ci/run /opt/ci/options /var/backups/", "disabled"),
        ("nice -n 5 chmod +x /opt/ci/run /opt/ci/options; sudo -u ci cp /opt/ci/run /opt/ci/options /srv/", "disabled"),
        ("restorecon /opt/ci/run /opt/ci/options; setfacl -m u:ci:r /opt/ci/run /opt/ci/options", "disabled"),
        ("rsync -a /srv/%F /opt/ci/", "unresolvable"),
        ("rsync /srv/%F /opt/ci/%F --delete", "unresolvable"),
        ("cp -t /opt/ci /srv/%F", "unresolvable"),
        ("cp /srv/%F /opt/ci/%F -f", "unresolvable"),
        ("sed -Ei s/a/b/ /opt/ci/%F", "unresolvable"),
        ("perl -pi -e s/a/b/ /opt/ci/%F", "unresolvable"),
        ("cd /opt/ci; curl -O http://config/%F", "unresolvable"),
        ("wget -q -P /opt/ci http://config/%F", "unresolvable"),
        ("cd /opt/ci; wget -q http://config/%F", "unresolvable"),
        ("echo 'exec java -jar /opt/jenkins.war' >/opt/ci/%F", "unresolvable"),
        ("cat >/opt/ci/%F <<E\nexec java -jar /opt/jenkins.war\nE\n", "unresolvable"),
        ("cp /srv/%F /opt/ci", "unresolvable"),
        ("install -m 755 /srv/%F /opt/ci/", "unresolvable"),
        ("mv /srv/new /opt/ci/%F", "unresolvable"),
        ("mv /srv/%F /opt/ci/", "unresolvable"),
        ("cd /opt/ci; sed -i s/a/b/ %F", "unresolvable"),
        ("echo x | tee /opt/ci/%F", "unresolvable"),
        ("curl -s -o /opt/ci/%F http://config/", "unresolvable"),
        ("curl -s -o/opt/ci/%F http://config/", "unresolvable"),
        ("dd if=/srv/new of=/opt/ci/%F", "unresolvable"),
    ],
)
@pytest.mark.parametrize(("name", "start"), [("run", "exec sh /opt/ci/run"), ("options", "java @/opt/ci/options")])
def test_what_is_written_before_it_is_started_or_read_is_not_known(
    host: Host, line: str, verdict: str, name: str, start: str
) -> None:
    host.write("/opt/ci/run", f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o755)
    host.write("/opt/ci/options", f"{FLAG} -jar /opt/jenkins.war\n")
    host.script(f"#!/bin/bash\n{line.replace('%F', name)}\n{start} -jar /opt/jenkins.war\n")
    assert host.verdict() == verdict, host.only()[1].reason
    assert verdict == "disabled" or "which may be written before" in (host.only()[1].reason or "")


#: Files that hold the flag, and links to them, in a folder that nobody writes if not the script.
PLACES = ["/opt/ci/real", "/run/ci/options", "/tmp/ci/options", "/var/run/ci/options"]


def lay_out(host: Host) -> None:
    for place in PLACES:
        host.write(place, f"{FLAG}\n")
    host.write("/opt/ci/setenv", f"O={FLAG}\n")
    host.write("/opt/ci/outer", "-XX:VMOptionsFile=/opt/ci/real\n")
    host.write("/opt/ci/run", f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o755)
    links = {"linked": "ci", "ci/passing": "/run/ci/options"}
    links.update({f"ci/{name}-link": name for name in ("real", "setenv", "run")})
    for link, target in links.items():
        (host.root / "opt" / link).symlink_to(target)


@pytest.mark.parametrize(
    "text",
    [
        *(f"exec java @{place} %W" for place in [*PLACES[1:], "/opt/ci/passing"]),
        *(f"exec java -XX:VMOptionsFile={place} %W" for place in PLACES[1:]),
        "export JDK_JAVA_OPTIONS=@/run/ci/options\nexec java %W",
        "echo >/opt/ci/real\nexec java @/opt/ci/outer %W",
        "echo >/opt/ci/real\nexport JDK_JAVA_OPTIONS='\"@/opt/ci/real\"'\nexec java %W",
        "echo >/opt/ci/real\nexec java @/opt/ci/real-link %W",
        "echo >/opt/ci/real-link\nexec java @/opt/ci/real %W",
        "echo >/opt/ci/real\nexec java $(cat /opt/ci/real-link) %W",
        "echo >/opt/ci/setenv\n. /opt/ci/setenv-link\nexec java $O %W",
        "echo >/opt/ci/run\nexec /opt/linked/run",
        "echo >/opt/linked/run\nexec /opt/ci/run",
        "echo >/opt/linked/run\nexec sh /opt/ci/run-link",
        "echo >/opt/ci//run\nexec /opt/ci/run",
    ],
)
def test_what_a_file_holds_may_be_another_text_when_it_is_read(host: Host, text: str) -> None:
    lay_out(host)
    host.script("#!/bin/bash\n" + text.replace("%W", "-jar /opt/jenkins.war") + "\n")
    assert host.verdict() == "unresolvable"
    assert re.search("may be written before|made anew before it starts", host.only()[1].reason or "")


#: Each does not write what is started, or read, behind it.
WRITE_OTHERS = [
    "cp /opt/ci/run /var/backups/",
    "cp -r /opt/ci /var/backups/",
    "cp /srv/conf /opt/ci/",
    "cp -r /srv/plugins /opt/ci/",
    "mv /opt/ci/old/run /srv/",
    "ln -sf /opt/ci/run /usr/local/bin/",
    "tar czf /srv/backup.tgz -C /opt/ci run",
    "tar xf /srv/plugins.tgz -C /opt/ci/plugins",
    "unzip -p /srv/x.zip x",
    "sudo -u ci test -r /opt/ci/run",
    "nice cat /opt/ci/run /opt/ci/setenv",
    "touch /opt/ci/log; mkdir -p /opt/ci; rm -f /opt/ci/run.pid",
    "sort /opt/ci/run; awk 1 /opt/ci/setenv",
    'said() { echo "$@"; }\nif coin; then said reading /opt/ci/%F; fi',
    'B=$(date +/srv/days/%d)\ncp -a /opt "$B"',
    'B=$(mktemp -d)\nrm -rf "$B/opt"; tar xf /srv/a -C "$B/opt"',
    "sudo cat /opt/ci/%F >/dev/null",
]
#: Each writes it.
WRITE = [
    "echo x | sudo tee /opt/ci/%F",
    "sudo -u root cp /srv/%F /opt/ci/%F",
    "nice -n 5 cp /srv/%F /opt/ci/",
    "cp -t /opt/ci /srv/%F",
    "cp -at /opt/ci /srv/%F",
    "cp --target-directory=/opt/ci /srv/%F",
    "cp -r /srv/. /opt/ci",
    "cp -r /srv/ci /opt",
    "cp -a /srv/. /opt/linked",
    "cp /srv/* /opt/ci/",
    "mv /opt/ci /opt/old; mv /srv/ci /opt/ci",
    "rm -rf /opt/ci",
    "rm -f /opt/ci/%F",
    "rsync -a /srv/ /opt/ci/",
    "rsync -a /srv/ci /opt",
    "ln -sfn v2 /opt/ci",
    "tar xf /srv/x.tgz -C /opt/ci",
    "tar -xzf /srv/x.tgz --directory=/opt",
    "cd /opt/ci; tar -xf /srv/x.tgz",
    "unzip -o /srv/x.zip -d /opt/ci",
    "truncate -s 0 /opt/ci/%F",
    "sort -o /opt/ci/%F /srv/x",
    "awk -i inplace 1 /opt/ci/%F",
    "sed -ni p /opt/ci/%F",
    "unzip -o /srv/my-plugins.zip -d /opt/ci",
    "coin && echo >/opt/ci/%F",
    "if coin; then cp /srv/x /opt/ci/%F; fi",
    "case $(coin) in a) rm -f /opt/ci/%F ;; esac",
    "for i in $(coin); do cp $i /opt/ci/%F; done",
    'C=/opt/ci/%F\nif coin; then cp /srv/new "$C"; fi',
    'C=/opt/ci/%F\ncoin && echo >"$C"',
    "C=/opt/ci/%F\ncase $(coin) in a) echo | tee $C ;; esac",
    'D=/opt/ci\nif coin; then rm -rf "$D"/*; fi',
    "make() { cat /srv/new >/opt/ci/%F; }\nif coin; then make; fi",
    "make() { cp /srv/new $1; }\nif coin; then make /opt/ci/%F; fi",
    "C=/opt/ci/%F\nfor f in $(ls /srv); do cp $f $C; done",
    "C=/opt/ci/%F\nwhile ! coin; do cp /srv/new $C; done",
    "X=$(cp /srv/new /opt/ci/%F; echo done)",
    "if ! X=$(cp /srv/new /opt/ci/%F 2>&1); then exit 1; fi",
]


@pytest.mark.parametrize(
    ("line", "verdict"), [(line, "disabled") for line in WRITE_OTHERS] + [(line, "unresolvable") for line in WRITE]
)
def test_what_writes_a_file_or_the_folder_it_lies_in(host: Host, line: str, verdict: str) -> None:
    lay_out(host)
    for name, start in (
        ("run", "exec /opt/ci/run"),
        ("setenv", ". /opt/ci/setenv\nexec java $O -jar /opt/jenkins.war"),
    ):
        host.script(f"#!/bin/bash\n{line.replace('%F', name)}\n{start}\n")
        assert host.verdict() == verdict, host.only()[1].reason


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("touch /opt/ci/new\n[ -e /opt/ci/new ] || O=%F", "unresolvable"),
        ("cd /opt/ci; touch new\n[ -e /opt/linked/new ] || O=%F", "unresolvable"),
        ("mkdir -p /opt/ci/new/er\n[ -d /opt/ci/new ] || O=%F", "unresolvable"),
        ("echo a >/opt/ci/new\nif [ -s /opt/ci/new ]; then O=; else O=%F; fi", "unresolvable"),
        ("rm -f /opt/ci/real\nif [ -e /opt/ci/real ]; then O=%F; fi", "unresolvable"),
        ("rm -rf /opt/ci\n[[ -e /opt/ci/real ]] && O=%F", "unresolvable"),
        ("/srv/prepare /opt/ci/real\n[ -s /opt/ci/real ] && O=%F", "unresolvable"),
        ("[ -d /run/ci ] && O=%F", "unresolvable"),
        ("[ -O /run/ci/options ] && O=%F", "unresolvable"),
        ("[ -d /run/systemd/system ] || O=%F", "disabled"),
        ("touch /opt/ci/real\n[ -s /opt/ci/real ] && O=%F", "disabled"),
        ("mkdir -p /opt/ci/new\n[ -d /opt/ci ] && O=%F", "disabled"),
        ("touch /opt/ci/log\n[ -s /opt/ci/real ] && O=%F", "disabled"),
    ],
)
def test_a_test_of_what_the_script_made_or_removed_is_not_known(host: Host, text: str, verdict: str) -> None:
    lay_out(host)
    host.script("#!/bin/bash\n" + text.replace("%F", f"{FLAG}") + "\njava $O -jar /opt/jenkins.war\n")
    assert host.verdict() == verdict, host.only()[1].reason


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("bash <<E\njava %W\nE\n", "unresolvable"),
        ("bash -s ci <<'E'\njava %W\nE\n", "unresolvable"),
        ("sudo -u ci sh <<E\njava %W\nE\n", "unresolvable"),
        ("bash <<E\n$START\nE\n", "unresolvable"),
        ("{ bash; } <<E\njava %W\nE\n", "unresolvable"),
        ("at now <<<'java %W'", "unresolvable"),
        ("sh </opt/ci/run", "unresolvable"),
        ("bash <(echo java %W)", "unresolvable"),
        ("sudo bash -x <(cat /srv/start)", "unresolvable"),
        ("bash <(echo umask 027)", "disabled"),
        ("diff <(echo java %W) /opt/ci/run", "disabled"),
        ("bash <<E\numask 027\nE\n", "disabled"),
        ("bash -x /opt/ci/run <<E\njava %W\nE\n", "disabled"),
        ("cat <<E\njava %W\nE\n", "disabled"),
        ("sh </dev/null", "disabled"),
    ],
)
def test_a_shell_that_is_given_its_program_otherwise(host: Host, line: str, verdict: str) -> None:
    lay_out(host)
    text = f"#!/bin/bash\nif coin; then\n{line}\nexit\nfi\nexec java {FLAG} %W\n"
    host.script(text.replace("%W", "-jar /opt/jenkins.war"))
    assert host.verdict() == verdict, host.only()[1].reason


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("exec bash -c 'shift; exec java \"$@\"' -- %F %W", "enabled"),
        ("exec bash -c 'shift; exec java \"$@\"' -- x %F %W", "disabled"),
        ("exec bash -c 'exec java -jar \"$3\"' -- %F %W", "enabled"),
        ("exec bash -c 'exec java %F \"$@\"' -- %W", "disabled"),
        ("exec bash -c 'exec java \"$@\"' -- %F %W", "disabled"),
        ("exec bash -c 'exec \"$@\"' -- java %F %W", "disabled"),
        ("exec bash -O extglob -c 'O=x%F; exec java ${O##*(x)} %W'", "unresolvable"),
        ("exec bash -O extglob -c 'exec java %F %W'", "disabled"),
        ("exec bash -c 'shift; exec java \"$@\"' java %F %W", "enabled"),
    ],
)
def test_words_behind_the_text_of_a_shell_are_arguments_of_that(host: Host, text: str, verdict: str) -> None:
    host.script("#!/bin/bash\n" + text.replace("%W", "-jar /opt/jenkins.war").replace("%F", FLAG) + "\n")
    assert host.verdict() == verdict, host.only()[1].reason


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ('case "$(hostname)" in a*) echo a ;; b*) echo b ;; esac', 1),
        ('case "$(hostname)" in a*) echo a ;; b*) O=-Da ;; esac', 3),
        ('if [ "$(hostname)" = a ]; then echo a; else echo b; fi', 1),
        ('if [ "$(hostname)" = a ]; then echo a; else O=-Da; fi', 2),
        ('[ "$(hostname)" = a ] && echo a', 1),
        ('for i in $(hostname); do echo "$i"; done', 1),
    ],
)
def test_branches_that_set_nothing_are_no_ways_of_their_own(host: Host, text: str, ways: int) -> None:
    host.script(f"#!/bin/bash\n{text}\njava $O -jar /opt/jenkins.war\n")
    walk = host.only()[1].walk
    assert walk is not None and walk.ways == ways


@pytest.mark.parametrize(
    "name", "PATH PS1 PS2 LANG LANGUAGE LC_ALL TERM USER LOGNAME MAIL UID EUID HOSTNAME HISTSIZE HISTCONTROL".split()
)
def test_a_variable_that_is_no_option_makes_no_way_of_its_own(host: Host, name: str) -> None:
    host.script(f'#!/bin/sh\nif [ "$(hostname)" = a ]; then {name}=b; fi\njava -jar /opt/jenkins.war\n')
    walk = host.only()[1].walk
    assert walk is not None and walk.ways == 1


@pytest.mark.parametrize(
    "line",
    [
        "daemonize java",
        "systemd-run java",
        "start-stop-daemon -S -d /x -x /usr/bin/java --",
        "start-stop-daemon -S --chdir /x -x /usr/bin/java --",
        "start-stop-daemon -S --chdir=/x -x /usr/bin/java --",
        "env -C /x java",
        "env --chdir /x java",
        "sudo -D /x java",
        "sudo -i java",
        "sudo --login java",
        "su -l ci java",
        "su - ci java",
        "other java",
    ],
)
def test_what_may_start_a_jvm_in_another_folder(host: Host, line: str) -> None:
    host.write("/opt/ci/jenkins.war", "PK")
    host.script(f"#!/bin/bash\ncd /opt/ci\n{line} -jar jenkins.war\n")
    assert host.only()[1].programs == ("jenkins.war",)


@pytest.mark.parametrize(
    "line",
    [
        "su %s -c",
        "runuser -u %s --",
        "sudo -u %s",
        "doas -u %s",
        "pkexec --user %s",
        "chpst -u %s",
        "daemonize -u %s",
        "s6-setuidgid %s",
        "setuidgid %s",
        "start-stop-daemon -S -c %s -x",
        "nohup sudo -u %s",
    ],
)
def test_a_user_whose_name_ends_in_a_carriage_return_starts_nothing(host: Host, line: str) -> None:
    jvm = "'java -jar /opt/jenkins.war'" if line.endswith("-c") else "/usr/bin/java -jar /opt/jenkins.war"
    host.script(f"#!/bin/bash\nU=$'ci\\r'\n{line % '$U'} {jvm}\n")
    assert "holds a carriage return, so it starts nothing" in (host.only()[1].reason or "")
    host.script(f"#!/bin/bash\nU=ci\n{line % '$U'} {jvm}\n")
    assert host.verdict() == "enabled"


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "ksh", "ash"])
def test_the_shells_that_are_followed(host: Host, shell: str) -> None:
    host.script(f"#!/bin/{shell}\nO={FLAG}\njava $O -jar /opt/jenkins.war\n")
    assert host.verdict() == "disabled"


def test_a_function_that_calls_itself_without_end(host: Host) -> None:
    host.script("#!/bin/sh\nf() { f; }\nf\njava -jar /opt/jenkins.war\n")
    assert "functions call each other too deeply" in (host.only()[1].reason or "")


@pytest.mark.parametrize(
    ("limit", "reason"), [(10000, None), (60, "the launch script is too long to follow every way")]
)
def test_the_steps_of_all_ways_are_counted_together(
    host: Host, monkeypatch: pytest.MonkeyPatch, limit: int, reason: str | None
) -> None:
    monkeypatch.setattr(_walk, "LIMIT_TOTAL", limit)
    host.script("#!/bin/sh\n" + "coin && O=$O-Da\n" * 4 + "java $O -jar /opt/jenkins.war\n")
    assert host.only()[1].reason == reason


@pytest.mark.parametrize(("limit", "reason"), [(8, None), (7, "the launch script can go more than 7 ways")])
def test_the_ways_are_counted(host: Host, monkeypatch: pytest.MonkeyPatch, limit: int, reason: str | None) -> None:
    monkeypatch.setattr(_walk, "LIMIT_PATHS", limit)
    host.script("#!/bin/sh\n" + "coin && O=$O-Da\n" * 3 + "java $O -jar /opt/jenkins.war\n")
    assert host.only()[1].reason == reason


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ("/opt/ci/%d", "scripts call each other too deeply"),
        ("sh /opt/ci/%d", "scripts call each other too deeply"),
        ("sh -c 'exec /opt/ci/%d'", "call each other too deeply"),
        (". /opt/ci/%d", "source each other too deeply"),
    ],
)
def test_scripts_that_call_each_other(host: Host, chain: str, reason: str) -> None:
    depth = 9
    for number in range(depth):
        host.write(f"/opt/ci/{number}", f"#!/bin/sh\n{chain % (number + 1)}\n", 0o755)
    host.write(f"/opt/ci/{depth}", f"#!/bin/sh\njava {FLAG} -jar /opt/jenkins.war\n", 0o755)
    host.script("#!/bin/sh\n/opt/ci/0\n")
    assert host.verdict() == "disabled"
    host.write(f"/opt/ci/{depth}", f"#!/bin/sh\n{chain % 0}\njava -jar /opt/jenkins.war\n", 0o755)
    assert reason in (host.only()[1].reason or "")


def test_the_options_of_an_interpreter_stand_in_its_line(host: Host) -> None:
    host.script("#!/bin/sh\n/opt/ci/run\n")
    for head, verdict in (("#!/bin/sh\n-e\n", "enabled"), ("#!/bin/sh -e\n", "unresolvable")):
        host.write("/opt/ci/run", f"{head}false\njava -jar /opt/jenkins.war\n", 0o755)
        assert host.verdict() == verdict


@pytest.mark.parametrize(
    "starter",
    [
        "",
        *"authbind chpst chrt dumb-init env exec ionice nice nohup numactl runuser s6-setuidgid setsid setuidgid".split(),
        *"softlimit stdbuf su sudo taskset time timeout tini".split(),
    ],
)
def test_what_starts_a_jvm_in_the_same_folder(host: Host, starter: str) -> None:
    host.write("/opt/ci/jenkins.war", "PK")
    host.script(f"#!/bin/bash\ncd /opt/ci\n{starter} java -jar jenkins.war\n")
    assert host.only()[1].programs == ("/opt/ci/jenkins.war",)


@pytest.mark.parametrize("login", ["", "- "])
@pytest.mark.parametrize("named", ["su", "su-l"])
def test_su_has_the_session_of_its_own_name(host: Host, login: str, named: str) -> None:
    host.write("/etc/environment", f"JAVA_TOOL_OPTIONS={FLAG}\n")
    host.write("/etc/pam.d/su", "auth sufficient pam_rootok.so\n")
    host.write("/etc/pam.d/su-l", "auth sufficient pam_rootok.so\n")
    host.write(f"/etc/pam.d/{named}", "session required pam_env.so readenv=1\n")
    host.script(f"#!/bin/bash\nsu {login}jenkins -c 'java -jar /opt/jenkins.war'\n")
    assert (host.verdict() == "disabled") is ((named == "su-l") == bool(login))


@pytest.mark.parametrize("starter", ["envdir /etc/env", "chpst -e /etc/env", "s6-envdir /etc/env"])
@pytest.mark.parametrize(
    ("content", "verdict"),
    [(f"{FLAG}\n", "disabled"), (f"{FLAG} \t\n-Da\n", "disabled"), (f"-Da\n{FLAG}\n", "enabled"), ("", "enabled")],
)
def test_of_a_file_of_variables_the_first_line_counts(host: Host, starter: str, content: str, verdict: str) -> None:
    host.write("/etc/env/JAVA_TOOL_OPTIONS", content)
    host.script(f"#!/bin/sh\n{starter} java -jar /opt/jenkins.war\n")
    assert host.verdict() == verdict


def test_the_kernel_starts_no_script_that_names_no_interpreter(host: Host) -> None:
    host.script(f"exec java {FLAG} -jar /opt/jenkins.war\n")
    assert host.only()[1].reason == "it has no #! line, so the kernel cannot start it"
    host.write("/etc/systemd/system/cloudbees-cm.service", "[Service]\nExecStart=/bin/sh /opt/cloudbees/cm/start.sh\n")
    assert host.verdict() == "disabled"


@pytest.mark.parametrize("line", ["/opt/ci/test", "exec /opt/ci/cat", "sudo -n /opt/ci/find", "nice /opt/ci/date"])
def test_a_script_is_followed_whatever_it_is_called(host: Host, line: str) -> None:
    """Only the programs themselves are known to start nothing, not a script that has one's name."""
    host.write(line.rsplit(maxsplit=1)[-1], f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o755)
    host.script(f"#!/bin/bash\n{line}\n")
    assert host.verdict() == "disabled", host.only()[1].reason


def test_what_is_made_below_a_long_path_costs_what_is_there(host: Host) -> None:
    """One that is missing is all that is looked for, not each of a thousand below it."""
    host.script(f"#!/bin/sh\nmkdir -p /missing{'/a' * 1500} /b{'/a' * 20000}\nexec java {FLAG} -jar /opt/jenkins.war\n")
    assert host.verdict() == "disabled"
