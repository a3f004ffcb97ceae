"""Real JVMs for the tests: a small class that runs until its standard input ends; and what only looks like one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
import java.util.Scanner;

public class Standin {
    public static void main(String[] arguments) {
        System.out.println("ready");
        System.out.flush();
        Scanner input = new Scanner(System.in);
        while (input.hasNextLine()) {
            String[] words = input.nextLine().split(" ", 2);
            System.setProperty(words[0], words[1]);
            System.out.println("set");
            System.out.flush();
        }
    }
}
"""
#: A program that catches SIGQUIT: what it does then, the user that it becomes, the libraries that it maps.
PRETENDER = """
import mmap, os, signal, sys
def quit(*_):
    name = "/tmp/.attach_pid%d" % os.getpid()
    if sys.argv[1] == "exit":
        os._exit(3)
    print("SIGQUIT", os.lstat(name).st_uid if os.path.lexists(name) else "no file", flush=True)
signal.signal(signal.SIGQUIT, quit)
files = [open(name, "rb") for name in sys.argv[3:]]
mapped = [mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ) for file in files]
if sys.argv[2]:
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[2])] * 3)
print("ready", flush=True)
while sys.stdin.readline():
    pass
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as `make test` has it")


class Running:
    """A started process that said it is ready."""

    def __init__(self, process: subprocess.Popen[str], pid: int) -> None:
        self.process = process
        self.pid = pid

    def set(self, name: str, value: str) -> None:
        """Let the JVM set one of its system properties."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{name} {value}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "set\n"

    def ended(self) -> str:
        """Let it end in peace; what it wrote since it was ready. Fails where something has killed it."""
        output, _errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, f"it ended with {self.process.returncode}: {output}"
        return output


class Jvms:
    """Starts processes, in a folder that every user can read."""

    def __init__(self, folder: Path, java: str, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.java = java
        self.war = folder / "jenkins.war"
        self._stack = stack

    def start(
        self,
        *options: str,
        environment: dict[str, str] | None = None,
        before: tuple[str, ...] = (),
        war: bool = False,
        **more: Any,
    ) -> Running:
        """A JVM with these options; ``before`` are the words in front of ``java``."""
        program = ["-jar", str(self.war)] if war else ["-cp", str(self.folder), "Standin"]
        return self.run([*before, self.java, *options, *program], environment, **more)

    @property
    def library(self) -> str:
        """The JVM itself."""
        return str(Path(os.path.realpath(self.java)).parent.parent / "lib/server/libjvm.so")

    def pretend(self, behaviour: str, *more: str, user: str = "") -> Running:
        """A process that is no JVM, but looks like one from outside; ``more`` libraries are mapped."""
        return self.run([sys.executable, "-S", "-c", PRETENDER, behaviour, user, self.library, *more])

    def run(self, command: list[str], environment: dict[str, str] | None = None, **more: Any) -> Running:
        """Start a command and wait until it is ready."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(environment or {})},
            **{"cwd": self.folder, **more},
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", command
        return Running(process, process.pid)


def _end(process: subprocess.Popen[str]) -> None:
    """In peace where it can: a JVM that is killed leaves its socket in /tmp."""
    if process.poll() is None and process.stdin is not None and not process.stdin.closed:
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    Path(f"/tmp/.java_pid{process.pid}").unlink(missing_ok=True)


@contextlib.contextmanager
def jvms() -> Iterator[Jvms]:
    """Compile the class; what was started ends with the block."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        pytest.skip("no JDK on this machine (scripts/tools installs one)")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cbops-jvms-", dir="/tmp")))
        folder.chmod(0o755)
        (folder / "Standin.java").write_text(SOURCE)
        subprocess.run(
            [javac, "--release", "8", "-Xlint:-options", "-d", str(folder), str(folder / "Standin.java")], check=True
        )
        with zipfile.ZipFile(folder / "jenkins.war", "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Standin\n")
            archive.write(folder / "Standin.class", "Standin.class")
        yield Jvms(folder, java, stack)
