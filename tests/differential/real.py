"""Runs a launch script under the real bash or dash in a temporary folder and notes what ``java`` was given.

``java`` is a stand-in that writes down its arguments; besides it only a handful of harmless tools are in PATH.
What the JVM makes of its arguments is written here a second time, apart from the engine, so that the two can differ.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

PROPERTY = "com.cloudbees.analytics.gatherer.Sender.disabled"
WEAKER = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
STRONGER = ("_JAVA_OPTIONS",)
SECONDS = 20

# One printf, hence one write: starts in the background do not mix. A set but empty variable reads "=".
_JAVA = """#!/bin/dash
printf '%s\\0' "$#" "$@" "${JAVA_TOOL_OPTIONS+=}${JAVA_TOOL_OPTIONS-}" \\
    "${JDK_JAVA_OPTIONS+=}${JDK_JAVA_OPTIONS-}" "${_JAVA_OPTIONS+=}${_JAVA_OPTIONS-}" >>'@FOLDER@/starts'
"""
# su(1) as far as launch scripts use it, without the change of user.
_SU = """#!/bin/bash
shell=/bin/bash login= command=
while [ $# -gt 0 ]; do
    case $1 in
    -c|--command) command=$2; shift ;;
    --command=*) command=${1#*=} ;;
    -s|--shell) shell=$2; shift ;;
    --shell=*) shell=${1#*=} ;;
    -|-l|--login) login=1 ;;
    -u) shift ;;
    --) shift; break ;;
    esac
    shift
done
[ -n "$command" ] || exec "$@"
if [ -n "$login" ]; then
    exec env -i PATH="$PATH" "$shell" -c "$command"
fi
exec "$shell" -c "$command"
"""
_NUMBER = re.compile(r"(-Dpid=|-Xms|-Dt=).*")
_PASS_ON = '#!/bin/dash\nwhile :; do case $1 in -n|-u) shift 2 ;; -*) shift ;; *) break ;; esac; done\nexec "$@"\n'
_TOOLS = (
    "basename",
    "bash",
    "cat",
    "cut",
    "dash",
    "dirname",
    "echo",
    "env",
    "grep",
    "head",
    "nohup",
    "paste",
    "readlink",
    "realpath",
    "sed",
    "sh",
    "tail",
    "tr",
    "xargs",
)
#: Files that launch scripts find beside themselves or put into words; places of the folder are put in.
_BESIDE = {
    "setenv.sh": f'JAVA_OPTS="$JAVA_OPTS -D{PROPERTY}=true"\n',
    "where.sh": 'JAVA_OPTS="$JAVA_OPTS -Dw=${BASH_SOURCE-none}"\n',
    "back.sh": "cd ..\n. ./setenv.sh\n",
    "options": f"# options\n-Xmx1g\n\n-D{PROPERTY}=true  -Da=b\n",
    "quoted": f"-Dq='a b'\n\"-D{PROPERTY}=true\"\n-De=\\$x\n",
    "open": "-Dq='a b\n-Dx=y\n",
    "variables": f'# variables\nJAVA_OPTS=-D{PROPERTY}=true\nJAVA_ARGS="-Da=b -Dc=d"\n\n  # more\nOFF=-Doff=1\n',
    "crlf": f"-Xmx1g\r\n-D{PROPERTY}=true\r\n",
    "no end": "-Xmx1g -Dn=1",
    "nothing": "",
    "conf.d/10.sh": "OFF=-Dten=1\n",
    "conf.d/20.sh": f'OFF="$OFF -D{PROPERTY}=true"\n',
    "conf.d/note": "-Dnote=1\n",
    "none.d/.hidden.sh": "OFF=-Dhidden=1\n",
    "sub/start.sh": "#!/bin/sh\n",
}


Vector = tuple[tuple[str, tuple[str, ...]], ...]


def vague(vector: Vector) -> Vector:
    """A vector without the numbers that differ from start to start, or that the engine leaves open on purpose."""
    return tuple((layer, tuple(_NUMBER.sub(r"\1?", word) for word in words)) for layer, words in vector)


class Start(NamedTuple):
    """One start of ``java``: its arguments and those environment variables that hold options."""

    arguments: tuple[str, ...]
    environment: dict[str, str]

    def split(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The JVM's options, and the program with its arguments."""
        words = list(self.arguments)
        options: list[str] = []
        while words:
            word = words.pop(0)
            if word in ("-cp", "-classpath"):
                words[:1] = []
            elif word.startswith("-"):
                options += [word] if word != "-jar" else []
            else:
                return tuple(options), (word, *words)
        return tuple(options), ()

    @property
    def program(self) -> str:
        """The jar that is started."""
        return (self.split()[1] or ("",))[0]

    def layers(self) -> list[tuple[str, tuple[str, ...]]]:
        """Where options come from, weakest first."""
        found = [(name, _words(self.environment[name])) for name in WEAKER if name in self.environment]
        found.append(("options", self.split()[0]))
        return found + [(name, _words(self.environment[name])) for name in STRONGER if name in self.environment]

    @property
    def verdict(self) -> str:
        """What the property's last mention makes of telemetry."""
        value = None
        for _name, words in self.layers():
            for word in words:
                if _about_flag(word):
                    value = word.partition("=")[2]
        return "disabled" if value is not None and value.lower() == "true" else "enabled"

    @property
    def vector(self) -> Vector:
        """All layers without the flag, and the program."""
        kept = [(name, tuple(word for word in words if not _about_flag(word))) for name, words in self.layers()]
        return vague((*kept, ("program", self.split()[1])))


def _about_flag(word: str) -> bool:
    return word.partition("=")[0] == "-D" + PROPERTY


def _words(value: str) -> tuple[str, ...]:
    words = re.findall(r"""(?:[^\s'"]|'[^']*'?|"[^"]*"?)+""", value)
    return tuple(re.sub(r"""'([^']*)'?|"([^"]*)"?""", r"\1\2", word) for word in words)


class Machine:
    """A temporary folder with a launcher, a configuration file and two PATHs: in one ``coin`` succeeds."""

    def __init__(self) -> None:
        # Not below /tmp: what a launcher reads there is not known before the start.
        place = "/var/lib" if os.access("/var/lib", os.W_OK) else Path.home()
        self.folder = Path(tempfile.mkdtemp(prefix="cbops-differential-", dir=place))
        self.config = str(self.folder / "config")
        self.launcher = str(self.folder / "launcher")
        self.work = self.folder / "work"
        self.work.mkdir()
        for name, text in _BESIDE.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o644)
        (self.folder / "linked").symlink_to("sub")
        (self.folder / "other").symlink_to("config")
        for name, status in (("heads", 0), ("tails", 1)):
            path = self.folder / name
            path.mkdir()
            for tool in _TOOLS:
                (path / tool).symlink_to(shutil.which(tool) or "/nonexistent")
            scripts = {"java": _JAVA, "su": _SU, "runuser": _SU, "coin": f"#!/bin/dash\nexit {status}\n"}
            scripts["sudo"] = _PASS_ON.replace('exec "$@"', 'exec env -i PATH="$PATH" "$@"')
            scripts.update(dict.fromkeys(("setsid", "nice", "ionice"), _PASS_ON))
            for tool, text in scripts.items():
                (path / tool).write_text(text.replace("@FOLDER@", str(self.folder)))
                (path / tool).chmod(0o755)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, text: str) -> str:
        """A text with the places of this machine put in."""
        return (
            text.replace("@CONFIG@", self.config)
            .replace("@BIN@", str(self.folder / "heads"))
            .replace("@HERE@", str(self.folder))
        )

    def write(self, texts: dict[str, str]) -> None:
        """Put files in place (Latin-1, byte for byte)."""
        for path, text in texts.items():
            Path(path).write_bytes(text.encode("latin-1"))
            os.chmod(path, 0o755)

    def start(self, program: str, argument: str, heads: bool, environment: dict[str, str]) -> list[Start]:
        """What ``java`` is given when the program is started, as ``exec`` starts it."""
        path = str(self.folder / ("heads" if heads else "tails"))
        notes = self.folder / "starts"
        notes.unlink(missing_ok=True)
        # Every descendant inherits the writing end: it reads as closed when the last of them has ended.
        reading, low = os.pipe()
        writing = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 200)  # out of the way of scripts that use descriptors
        os.close(low)
        try:
            try:
                process = subprocess.Popen(
                    [program, argument],
                    env={"PATH": path, **environment},
                    cwd=self.work,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[writing],
                    start_new_session=True,
                )
            except OSError:
                return []
            finally:
                os.close(writing)
            ready, _, _ = select.select([reading], [], [], SECONDS)
            if not ready:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not ready:
                raise TimeoutError(f"a launch script ran longer than {SECONDS} s")
        finally:
            os.close(reading)
        return _parse(notes.read_bytes().decode("latin-1")) if notes.exists() else []


def _parse(notes: str) -> list[Start]:
    fields = notes.split("\0")[:-1]
    found = []
    while fields:
        count = int(fields.pop(0))
        arguments, layers, fields = fields[:count], fields[count : count + 3], fields[count + 3 :]
        environment = {name: value[1:] for name, value in zip(WEAKER + STRONGER, layers) if value}
        found.append(Start(tuple(arguments), environment))
    return found


def is_valid(shell: str, path: str) -> bool:
    """True where the shell finds no syntax error in a file."""
    return (
        subprocess.run(
            [shell, "-n", path],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode
        == 0
    )
