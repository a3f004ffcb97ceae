"""The booted reader: runs on a plain host of the fleet as root, and is given cases line by line (JSON).

``python3 -I reader.py FOLDER``: FOLDER holds the product's ``module_utils`` as the package ``cbops``. For each case it
lays the files, has the service manager start the unit, notes what ``java`` was given, asks the product, has it edit,
starts again, has it undo the edit, starts again, and puts the host back as it was. It judges nothing.

``java`` is a stand-in that writes down its arguments and its environment, and ends.
"""

import base64
import ctypes
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import traceback

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "/run/booted"
STARTS = "/run/booted.starts"
SECONDS = 300  # the machine may have much else to do
OPTIONS = {}  # of the product's module, with their defaults
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is looked through for changes; what the machine itself writes all the time is left out.
TREES = (
    "/app",
    "/bin",
    "/etc",
    "/home",
    "/lib/init",
    "/lib/lsb",
    "/lib/systemd",
    "/mnt",
    "/opt",
    "/root",
    "/run/ci",
    "/run/systemd/system",
    "/sbin",
    "/srv",
    "/usr/bin",
    "/usr/lib/ci",
    "/usr/lib/cloudbees-core-cm",
    "/usr/lib/cloudbees-core-oc",
    "/usr/lib/init",
    "/usr/lib/lsb",
    "/usr/lib/systemd",
    "/usr/local",
    "/usr/sbin",
    "/usr/share/cloudbees-core-cm",
    "/usr/share/cloudbees-core-oc",
    "/usr/share/java",
    "/usr/share/jenkins",
    "/var/lib",
    "/var/spool",
)
PASSED_OVER = (
    "/etc/.pwd.lock",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ssl",
    "/lib/systemd/catalog",
    "/usr/lib/systemd/catalog",
    "/var/lib/apt",
    "/var/lib/cbops-telemetry",
    "/var/lib/dpkg",
    "/var/lib/systemd",
)
JAVA = """#!/bin/dash
# One file for each start: how many arguments, they, and the environment that it was given.
{ printf '%%s\\0' "$#" "$@"; /bin/cat /proc/$$/environ; } >%s/.$$ && exec /bin/mv %s/.$$ %s/$$
""" % (STARTS, STARTS, STARTS)


# -- the host -----------------------------------------------------------------------------------------------------


def furnish(users, tools, options):
    """The users of the cases, programs of another distribution, and the stand-in wherever a Java is looked for."""
    OPTIONS.update(options)
    for path, (text, mode) in tools.items():
        put(path, ("file", text.encode("latin-1"), mode, 0, 0))
    os.makedirs(STARTS, exist_ok=True)
    os.chmod(STARTS, 0o1777)
    known = open("/etc/passwd", encoding="utf-8").read()
    for line in users:
        name, _, uid, gid, _, home, _ = line.split(":")
        if "\n%s:" % name in "\n" + known:
            continue
        for path, text in (
            ("/etc/passwd", line),
            ("/etc/group", "%s:x:%s:" % (name, gid)),
            ("/etc/shadow", "%s:!:19000::::::" % name),
        ):
            with open(path, "a", encoding="utf-8") as out:
                out.write(text + "\n")
        os.makedirs(home, exist_ok=True)
        os.chown(home, int(uid), int(gid))
    # The release file of the real one stays, which says what this Java reads.
    java = os.path.realpath("/usr/bin/java")
    if os.path.getsize(java) > 4096:
        os.unlink(java)
    with open(java, "w", encoding="ascii") as out:
        out.write(JAVA)
    os.chmod(java, 0o755)
    for other in ("/opt/jdk", "/opt/jdk11"):
        if not os.path.lexists(other):
            os.symlink(os.path.dirname(os.path.dirname(java)), other)


def look():
    """Path -> what tells one state of it from another, for all that is looked through."""
    found = {}
    todo = [tree for tree in TREES if os.path.isdir(tree) and not os.path.islink(tree)]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as items:
                for item in items:
                    if item.path in PASSED_OVER:
                        continue
                    found[item.path] = state_of(item.stat(follow_symlinks=False))
                    if item.is_dir(follow_symlinks=False):
                        todo.append(item.path)
        except FileNotFoundError:
            continue
    return found


def state_of(status):
    """What tells one state of a path from another; of a folder not what is in it."""
    known = (status.st_mode, status.st_uid, status.st_gid)
    return known if stat.S_ISDIR(status.st_mode) else known + (status.st_size, status.st_mtime_ns, status.st_ino)


def differing(before, after):
    """The paths that differ, folders before what is in them."""
    return sorted(path for path in set(before) | set(after) if before.get(path) != after.get(path))


def content(path):
    """What a file is: ("file", bytes, mode, uid, gid), ("link", target), ("folder", …), None where nothing is."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return ("folder", stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    with open(path, "rb") as handle:
        return ("file", handle.read(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def put(path, what):
    """Make a path what ``content`` said of it."""
    there = content(path)
    if there == what:
        return
    if there is not None and (what is None or there[0] != "folder" or what[0] != "folder"):
        if there[0] == "folder":
            shutil.rmtree(path)
        else:
            os.unlink(path)
    if what is None:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if what[0] == "link":
        os.symlink(what[1], path)
        return
    *data, mode, uid, gid = what[1:]
    if data:
        with open(path, "wb") as out:
            out.write(data[0])
    else:
        os.makedirs(path, exist_ok=True)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


class Host:
    """The host as it was before a case, and what brings it back."""

    def __init__(self):
        self.plain = look()
        self.kept = {path: content(path) for path in self.plain if path.startswith("/etc/") and is_small(path)}

    def restore(self, also):
        """Everything as it was; ``also`` are contents of files that a case replaced."""
        for path, was in also.items():
            if not path.startswith(TREES):
                put(path, was)
        now = look()
        paths = differing(self.plain, now)
        for path in sorted((path for path in paths if path not in self.plain), reverse=True):
            if os.path.lexists(path):
                put(path, None)
        for path in paths:
            if path in self.plain:
                was = also.get(path) or self.kept.get(path)
                if was is None:
                    raise RuntimeError("%s is another one now, and the old one was not kept" % path)
                put(path, was)
                self.plain[path] = state_of(os.lstat(path))


def is_small(path):
    status = os.lstat(path)
    return not stat.S_ISREG(status.st_mode) or status.st_size < 1 << 20


# -- starting -----------------------------------------------------------------------------------------------------


def start(case, known):
    """What ``java`` was given when the host starts this, after a reload, and what the host is like then.

    Files that came by the start, which are not among those known, go again.
    """
    for name in os.listdir(STARTS):
        os.unlink(os.path.join(STARTS, name))
    said = ""
    if case["unit"]:
        unit = case["unit"]
        done = subprocess.run(
            [
                "/bin/sh",
                "-c",
                'systemctl daemon-reload; systemctl stop -- "$1" 2>/dev/null; '
                'systemctl reset-failed -- "$1" 2>/dev/null; exec timeout %d systemctl start -- "$1"' % SECONDS,
                "sh",
                unit,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        said = done.stderr.decode("latin-1")[-400:]
        ended = done.returncode != 124 and wait(lambda: not populated(unit) and has_ended(unit))
        subprocess.run(
            ["systemctl", "stop", "--", unit],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    else:
        # By a shell, as by hand: one without a #! line is a script, too.
        command = ["/bin/bash", "-c", '"$0" "$@"', case["script"]] + case["arguments"]
        process = subprocess.Popen(
            command,
            env={"PATH": PATH, "HOME": "/root"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.wait(SECONDS)
        ended = wait(no_children)
    starts = []
    for name in sorted(os.listdir(STARTS)):
        with open(os.path.join(STARTS, name), "rb") as handle:
            words = handle.read().decode("latin-1").split("\0")[:-1]
        count = int(words[0])
        starts.append({"arguments": words[1 : count + 1], "environment": words[count + 1 :]})
    now = look()
    for path in sorted(set(now) - set(known), reverse=True):
        if not path.startswith("/run/systemd/"):
            if os.path.lexists(path):
                put(path, None)
            del now[path]
    return {"starts": starts, "said": said, "ended": ended}, now


def wait(condition):
    """Whether it came true in time."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def has_ended(unit):
    """Whether the service manager knows of nothing that runs: what it has begun may not be in its control group yet."""
    said = subprocess.run(
        ["systemctl", "show", "--property=SubState", "--", unit],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    ).stdout.decode("latin-1")
    return said.strip() in ("SubState=dead", "SubState=exited", "SubState=failed", "SubState=auto-restart")


def populated(unit):
    """Whether a unit has processes."""
    for folder, folders, _files in os.walk("/sys/fs/cgroup/system.slice"):
        if os.path.basename(folder) == unit:
            try:
                with open(folder + "/cgroup.events", encoding="ascii") as events:
                    return "populated 1" in events.read()
            except OSError:
                return False
        if folder.endswith(".service"):
            folders[:] = []
    return False


def no_children():
    """Whether all that a script left behind has ended: it came to us, its subreaper."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


# -- the product ---------------------------------------------------------------------------------------------------


def ask(case, check, **params):
    """The product's answer, as its module and its carrier get it; asked again where the machine was too slow for it."""
    for _ in range(3):
        answer = asked(case, check, **params)
        if "deadline passed" not in str(answer.get("msg")):
            break
    return answer


def asked(case, check, **params):
    """The same, from a process of its own."""
    scripts = [" ".join([case["script"], *case["arguments"]])] if case["script"] else []
    params = {**OPTIONS, "launch_scripts": scripts, "attach": "never", **params}
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.dup2(writing, 1)  # a supervisor watches its standard output
            from cbops import _answer

            result = _answer.answer("telemetry_flag", params, check)
        except BaseException as error:
            result = {"failed": True, "crash": "%s: %s" % (type(error).__name__, error)}
        with os.fdopen(writing, "w") as out:
            json.dump(result, out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def flag(case, wanted, before, check=False):
    """Declare it; says what the product answered and which files are others now."""
    answer = ask(case, check, state=wanted)
    after = look()
    changed = [
        path
        for path in differing(before, after)
        if ".cbops~" not in path and not stat.S_ISDIR((after.get(path) or before[path])[0])
    ]
    return answer, after, changed


def other(verdict):
    """What to declare so that something changes."""
    return "enabled" if verdict == "disabled" else "disabled"


def mine(rows, case):
    """The installation of the case in a state document."""
    of_it = [row for row in rows if row["service"] == case["unit"]] if case["unit"] else rows
    return of_it[0] if len(of_it) == 1 else None


def run(case, host):
    """All that is found out about one case."""
    also, laid = {}, {}
    steps = {}
    try:
        for path, what in case["files"].items():
            real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            also[real] = content(real)
            new = (
                ("link", what["link"])
                if "link" in what
                else ("file", what["text"].encode("latin-1"), what.get("mode", 0o644), 0, 0)
            )
            put(real, new)
            laid[real] = new
        if case["manager"]:
            subprocess.run(["systemctl", "set-environment", *case["manager"]], check=True)
        steps["before"], first = start(case, look())
        foreseen, _, touched = flag(case, "disabled", first, check=True)
        steps["foreseen"], steps["touched by check mode"] = short(foreseen), touched
        row = mine(steps["foreseen"]["installations"], case)
        wanted = steps["wanted"] = other(row["on_disk"] if row else None)
        back = other(wanted)
        answer, after, changed = flag(case, wanted, first)
        steps["edit"], steps["edited"] = short(answer), {path: text_of(path) for path in changed}
        if not changed:
            return steps
        steps["after"], later = start(case, after)
        if case["twice"]:
            again, later, touched = flag(case, wanted, later)
            steps["again"], steps["touched again"] = short(again), touched
        answer, last, changed = flag(case, back, later)
        steps["undo"], steps["undone"] = short(answer), {path: text_of(path) for path in changed}
        steps["as before"] = [
            path
            for path in set(steps["edited"]) | set(changed)
            if content(path) == (laid.get(path) or host.kept.get(path))
        ]
        if changed:
            steps["last"], _ = start(case, last)
        return steps
    finally:
        if case["manager"]:
            names = [one.split("=")[0] for one in case["manager"]]
            subprocess.run(["systemctl", "unset-environment", *names], check=True)
        host.restore(also)


def short(answer):
    """Of an answer what is judged."""
    kept = {key: answer.get(key) for key in ("changed", "failed", "msg", "refused", "crash", "files")}
    for key in ("installations", "warnings"):
        kept[key] = answer.get("state", {}).get(key, [])
    return kept


def text_of(path):
    """A file's text for a report."""
    what = content(path)
    return what[1].decode("latin-1") if what and what[0] == "file" else None


def main():
    """Cases in, what came of them out."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.path.insert(0, FOLDER)
    from cbops import _answer  # noqa: F401 -- once, for all children
    from cbops.edit import _declare  # noqa: F401
    from cbops.survey import _survey  # noqa: F401

    furnish(**json.loads(sys.stdin.readline()))
    host = Host()
    for line in sys.stdin:
        case = json.loads(line)
        began = time.monotonic()
        try:
            found = run(case, host)
        except Exception:  # the other cases go on
            found = {"crash": traceback.format_exc()}
        found.update(name=case["name"], seconds=time.monotonic() - began)
        sys.stdout.write(base64.b64encode(json.dumps(found).encode("ascii")).decode("ascii") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
