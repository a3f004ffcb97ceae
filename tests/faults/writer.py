"""A program that makes writes, to be disturbed: ``writer.py FOLDER DEED`` makes one (see DEEDS).

It loads the module as a managed host does, without Ansible. Prints what came of it; status 3 is a refusal.

``writer.py`` alone makes many, each in a copy of itself, so that what they need is loaded once. It reads lines "FOLDER
DEED STDOUT STDERR" with tabs between, and answers two lines to each: the copy's process id, and its wait status once it
has ended. The copy stops itself (SIGSTOP) before it does anything, so that a tracer can come.
"""

import _strptime  # noqa: F401  (both loaded now, so that the traced part is the write alone)
import ctypes  # noqa: F401
import importlib
import os
import signal
import sys
import traceback
import types
from pathlib import Path

_package = types.ModuleType("cbops_engine")
_package.__path__ = [str(Path(__file__).resolve().parents[2] / "plugins" / "module_utils")]
sys.modules["cbops_engine"] = _package
files = importlib.import_module("cbops_engine.edit._writing")
backups = importlib.import_module("cbops_engine.edit._backups")
OWN_DROP_IN = importlib.import_module("cbops_engine.host._files").OWN_DROP_IN

OLD = 'JAVA_ARGS="-Xmx1g"\r\n# caf\xe9\n' + "# filler\n" * 900
NEW = OLD.replace("1g", "1g -Da=b")


class Unread(Exception):
    """What the module reads before it writes cannot be read."""


def store(path):
    """Where backups of what lies in a folder "etc" are: in the file system that it is in, not in this machine's."""
    return backups.Store(path.partition("/etc")[0], "run")


def write(folder, content, backup, path=None):
    """Bring the file to this content, as a run of the module does: read it, write where it differs."""
    path = path or folder + "/file"
    try:
        with open(path, "rb") as stream:
            old = stream.read().decode("latin-1")
    except FileNotFoundError:
        old = None
    except OSError as error:
        raise Unread(error)
    if old != content:
        files.replace(path, old, content, store(folder) if backup else None)


def put_back(folder):
    """Restore the file's first backup."""
    try:
        first = store(folder).list(folder + "/file")[-1].path
    except files.Refused as error:
        raise Unread(error)
    store(folder).restore(folder + "/file", first)


def roll_back(folder):
    """Bring the file to what it was before the run."""
    try:
        store(folder).edited_by("run")
    except files.Refused as error:
        raise Unread(error)
    store(folder).roll_back(folder + "/file", "run")


def take_in(folder):
    """Move a backup of an earlier version to where backups are."""
    store(folder).take_in(folder + "/file.20200229T120000Z.cbops~")


def drop_in(folder):
    """Make a folder and a file in it."""
    files.make_folder(folder + "/unit.d")
    if not os.path.exists(own_drop_in(folder)):
        files.replace(own_drop_in(folder), None, NEW)


def own_drop_in(folder):
    """Where it is."""
    return folder + "/unit.d/" + OWN_DROP_IN


def edit_and_give_to_root(folder):
    """A drop-in of ours that somebody else owns is edited, and so becomes root's."""
    write(folder, NEW, False, own_drop_in(folder))


DEEDS = {
    "edit": lambda folder: write(folder, NEW, False),
    "edit with backup": lambda folder: write(folder, NEW, True),
    "edit through a link": lambda folder: write(folder + "/link.d", NEW, True),
    "create": lambda folder: write(folder, NEW, True),
    "remove with backup": lambda folder: write(folder, None, True),
    "drop-in": drop_in,
    "somebody's drop-in": edit_and_give_to_root,
    "restore": put_back,
    "roll back": roll_back,
    "move a backup": take_in,
}


def main(folder, deed):
    """Do the deed between two calls that nothing else makes."""
    # A lock of its own: waiting for another's writer would be calls that the next run does not make.
    files.LOCK_FILE = "/run/cbops-telemetry-faults%s.lock" % folder.replace("/", "-")
    os.getppid()
    try:
        DEEDS[deed](folder)
        message, status = "done", 0
    except files.Refused as error:
        message, status = str(error), 3
    except Unread as error:
        message, status = "%s (nothing was changed)" % error, 3
    os.getppid()
    print(message)
    return status


def serve():
    """Make writes, each in a copy of this process."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            one_of_many(*line.rstrip("\n").split("\t"))
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def one_of_many(folder, deed, said, wrong):
    """The copy."""
    status = 120  # as Python's own where what was said cannot be written
    try:
        for number, path in ((1, said), (2, wrong)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            done = main(folder, deed)
        except BaseException:
            done = 1
            traceback.print_exc()
        sys.stdout.flush()
        status = done
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if sys.argv[1:] else serve())
