"""On a host of the fleet: runs a Python program for Ansible, and waits at the step that the harness has named.

Stands where `ansible_python_interpreter` points. The steps are Python's own audit events, so what runs is the program
that every host gets, unchanged. Standard library only, as what it runs.
"""

import os
import re
import sys
import time

FOLDER = "/var/lib/cbops-faults"
LONGEST = 90  # seconds for which a step is held at most
TEMPORARY = ".cbops-new~"
_COPY = re.compile(r"\.?\d{8}T\d{6}Z")


def reached(step, folder=FOLDER):
    """A step is reached: where it is the one that is waited for, say so, and wait until the harness lets go."""
    try:
        with open(folder + "/armed") as stream:
            wanted, number = stream.read().split()
        if wanted != step:
            return
        with open(folder + "/count", "a") as stream:
            stream.write("x")
        if os.stat(folder + "/count").st_size < int(number):
            return
        with open(folder + "/pid", "w") as stream:
            stream.write(str(os.getpid()))
        os.rename(folder + "/armed", folder + "/hit")
    except (OSError, ValueError):
        return
    end = time.monotonic() + LONGEST
    while not os.path.exists(folder + "/go") and time.monotonic() < end:
        time.sleep(0.02)


class Steps:
    """Which step of a write an audit event is."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.is_busy = False
        self.at_the_file = False  # the temporary file is that of the launch file, not of a copy
        self.is_replaced = False

    def __call__(self, event, arguments):
        if event not in ("open", "os.rename", "os.remove", "fcntl.flock", "ctypes.dlsym") or self.is_busy:
            return
        self.is_busy = True
        try:
            step = self.step(event, arguments)
            if step:
                reached(self.prefix + step)
        finally:
            self.is_busy = False

    def step(self, event, arguments):
        name = arguments[0] if isinstance(arguments[0], str) else ""
        if event == "fcntl.flock":
            return "lock"
        if event == "open" and name.endswith(TEMPORARY):
            self.at_the_file = not _COPY.match(name)
            return "write" if self.at_the_file else "backup"
        if event == "open" and name == "." and self.is_replaced:
            self.is_replaced = False
            return "replaced"
        replaces = (
            (event == "os.rename" and name.endswith(TEMPORARY) and not _COPY.match(str(arguments[1])))
            or (event == "ctypes.dlsym" and arguments[1] == "renameat2" and self.at_the_file)
            or (event == "os.remove" and name.endswith(".conf"))
        )
        if replaces:
            self.at_the_file, self.is_replaced = False, True
            return "rename"
        return None


def jump():
    """Let the clock of what runs here be as far off as the harness says; it may jump while it runs."""
    real = {name: getattr(time, name) for name in ("time", "gmtime", "localtime", "strftime")}

    def off():
        try:
            with open(FOLDER + "/clock") as stream:
                return float(stream.read() or 0)
        except (OSError, ValueError):
            return 0.0

    def at(function):
        return lambda seconds=None: function(time.time() if seconds is None else seconds)

    time.time = lambda: real["time"]() + off()
    time.gmtime, time.localtime = at(real["gmtime"]), at(real["localtime"])
    time.strftime = lambda text, moment=None: real["strftime"](text, time.localtime() if moment is None else moment)


def main():
    """As ``python [-I -S] -c CODE``, ``python FILE``, or a program on standard input."""
    words = sys.argv[1:]
    while words and words[0] in ("-I", "-S", "-B", "-u", "-tt"):
        del words[0]
    if words[:1] == ["-c"]:
        code, sys.argv, prefix = words[1], ["-c", *words[2:]], ""
    elif words and words[0] != "-":
        with open(words[0]) as stream:
            code, sys.argv, prefix = stream.read(), words, "back."
    else:
        code, sys.argv, prefix = sys.stdin.read(), ["-"], "back."
    with open(FOLDER + "/starts", "a") as stream:
        stream.write("x")
    if os.path.exists(FOLDER + "/clock"):
        jump()
    if not prefix:
        reached("ask")
    sys.addaudithook(Steps(prefix))
    sys.modules["hook"], sys.modules["__main__"] = sys.modules["__main__"], type(sys)("__main__")
    exec(compile(code, "<stdin>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102 -- what Ansible sent


if __name__ == "__main__":
    main()
