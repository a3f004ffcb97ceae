# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children with limits: one for all that is done on a host, others in it for what can hang, or changes its user.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.

A process that waits inside the kernel (a dead file server) may not end even by SIGKILL. Nobody waits for it, and it
holds nothing that others wait for: no standard output, and answers end with their last byte, not with the end of the
pipe. Every child also has an alarm of its own, which ends it where nobody else does.
"""

import gc
import json
import os
import resource
import select
import signal
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _limits as limits

#: Seconds that a child gets to clean up when its time is over.
_GRACE = 1.5
_LARGEST = 32 << 20
_GONE = select.POLLERR | select.POLLHUP


class Late(Exception):
    """The function did not come back in time, or ended with an error of its own; says which."""


class _Ended(BaseException):
    """We are told to end: clean up first."""


# -- what can hang ----------------------------------------------------------------------------------


def bounded(work: Callable[[], Any], seconds: float, grace: float = _GRACE) -> Any:
    """What ``work`` returns (anything that JSON knows), as it ran in a child. Raises :class:`Late`."""
    seconds = min(seconds, limits.left())
    if seconds <= 0:
        raise Late("the time for this host was used up")
    try:
        child, reader = forked(lambda writer: _run(work, writer, seconds + grace))
    except OSError as error:  # too many processes
        raise Late(error.strerror)
    deadline = time.monotonic() + seconds + grace
    parts: List[bytes] = []
    size, answered, ended = 0, False, False
    try:
        while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(reader, 1 << 16)
            parts.append(part)
            size += len(part)
            answered = not part or part.endswith(b"\n")
            if answered or size > _LARGEST:
                break
    finally:
        os.close(reader)
        ended = end(child, grace, answered)
    try:
        returned, result = json.loads(b"".join(parts).decode("ascii"))
    except ValueError:
        raise Late("not in time" if ended else "not in time; it waits inside the kernel and is left behind")
    if not returned:
        raise Late(result)
    return result


def _run(work: Callable[[], Any], writer: int, seconds: float) -> None:
    gc.disable()  # what it looks through, it would copy
    limits.Budget.tell, limits.Budget.bounded = None, True
    signal.alarm(int(seconds) + 3)
    _on_signals(_end_here)
    try:
        said = [True, work()]
    except BaseException as error:
        said = [False, type(error).__name__]  # its text could hold what it read
    _send(writer, said)


# -- all that is done on a host ---------------------------------------------------------------------


def supervised(
    work: Callable[[], Dict[str, Any]], memory: int = limits.MEMORY, seconds: float = limits.SECONDS
) -> Dict[str, Any]:
    """The result that ``work`` returns, as it ran in a child within its limits; else a failed one that says why."""
    before = _on_signals(_end_here)
    try:
        return _supervise(work, memory, seconds)
    except OSError as error:
        return _failed("no process could be made: %s" % error.strerror)
    except _Ended as error:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.kill(os.getpid(), error.args[0])
        raise SystemExit(1)  # whoever asked is gone
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(work: Callable[[], Dict[str, Any]], memory: int, seconds: float) -> Dict[str, Any]:
    child, reader = forked(lambda writer: _work(work, writer, memory, seconds))
    began = time.monotonic()
    deadline = began + seconds
    watched = select.poll()
    watched.register(reader, select.POLLIN)
    watched.register(1, 0)  # whoever asked; where the connection ends, so do we
    said, phase, writes, answered = b"", "starting", False, False
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return _failed(
                    "the host's own deadline passed after %d seconds, while it was %s"
                    % (time.monotonic() - began, phase)
                )
            for descriptor, events in watched.poll(left * 1000):
                if descriptor != reader:
                    if events & _GONE and not writes:
                        raise _Ended(signal.SIGPIPE)
                    watched.unregister(descriptor)
                    continue
                part = os.read(reader, 1 << 16)
                said += part
                if len(said) > limits.ANSWER:
                    return _failed("its answer is larger than %d bytes (while it was %s)" % (limits.ANSWER, phase))
                if not part:
                    return _failed("the program on the host %s while it was %s" % (_ending(child), phase))
                *notes, said = said.split(b"\n") if b"\n" in part else [said]
                for note in notes:
                    told = json.loads(note.decode("ascii"))
                    phase = told.get("phase", phase)
                    deadline += told.get("more", 0)
                    if told.get("writes"):
                        writes, deadline = True, time.monotonic() + limits.SECONDS
                    if "result" in told:
                        answered = True
                        return told["result"]  # type: ignore[no-any-return]
    finally:
        os.close(reader)
        if answered:
            _kill(-child)  # nothing is left to do, not even for a thread of a probe
        end(child, 0 if answered else _GRACE, False, group=not answered)


def _work(work: Callable[[], Dict[str, Any]], writer: int, memory: int, seconds: float) -> None:
    """In the child: its limits, the work, the answer."""
    gc.set_threshold(100000)  # of what is compiled and read nearly all stays
    os.setpgid(0, 0)
    _on_signals(_end_here)
    for kind, limit in (
        (resource.RLIMIT_AS, memory + _used()),
        (resource.RLIMIT_CPU, limits.CPU),
        (resource.RLIMIT_CORE, 1),  # 0 says nothing where cores go to a program
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    longest = [seconds]

    def tell(note: Dict[str, Any]) -> None:
        longest[0] += note.get("more", 0) + (limits.SECONDS if note.get("writes") else 0)
        signal.alarm(int(longest[0]) + 5)
        _send(writer, note)

    limits.begin(tell, seconds)
    tell({"phase": "starting"})
    try:
        result = limits.clipped(work())
    except BaseException as error:
        lines = _where(error)
        what = "needed more than %d bytes of memory: " % memory if isinstance(error, MemoryError) else "failed: "
        result = dict(_failed("the program on the host " + what + lines[-1]), exception="\n".join(lines))
    _send(writer, {"result": result})


def _used() -> int:
    """Bytes of address space that this process has already: an ordinary module's has much that is not our work's."""
    try:
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def unlimited_memory() -> None:
    """Before another program is started that reserves more than it uses, such as a JVM."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _failed(message: str) -> Dict[str, Any]:
    return {"failed": True, "msg": message}


def _where(error: BaseException) -> List[str]:
    """Where it happened, outermost first; the last line says what too. No message: it can quote a launch file."""
    lines, trace = [], error.__traceback__  # type: List[str], Any
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append("%s:%d in %s" % (code.co_filename.rsplit("/", 1)[-1], trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return lines[:-1][-20:] + ["%s at %s" % (type(error).__name__, lines[-1] if lines else "an unknown place")]


def _ending(child: int) -> str:
    """How a child ended that said nothing more."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        number, status = os.waitpid(child, os.WNOHANG)
        if number and os.WIFSIGNALED(status):
            which = os.WTERMSIG(status)
            return (
                "used up its %d seconds of CPU" % limits.CPU
                if which == signal.SIGXCPU
                else "was ended by signal %d" % which
            )
        if number:
            return "ended without an answer"
        time.sleep(0.001)
    return "closed its end without an answer"


# -- processes --------------------------------------------------------------------------------------


def forked(inside: Callable[[int], None]) -> Tuple[int, int]:
    """A child that does something with the end of a pipe to write to; the child, and the other end. Raises OSError."""
    reader, writer = os.pipe()
    try:
        # On a host there are no threads yet: probes start theirs after all that forks. Where Python 3.12 or newer warns
        # of threads here, they are those of the process that the tests run in.
        child = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if child == 0:
        try:
            os.close(reader)
            nothing = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(nothing, standard)
            inside(writer)
        finally:
            os._exit(0)
    os.close(writer)
    return child, reader


def _send(writer: int, said: Any) -> None:
    data = json.dumps(said).encode("ascii") + b"\n"
    while data:
        data = data[os.write(writer, data) :]


def _end_here(number: int, _frame: Any) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise _Ended(number)


def _on_signals(handler: Any) -> Dict[int, Any]:
    """Handle the signals that tell a process to end; what handled them before. Nothing in a thread, which gets none."""
    before: Dict[int, Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            before[number] = signal.signal(number, handler)
    except ValueError:
        pass
    return before


def _kill(process: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, or (negative) to a group."""
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError):
        pass


def end(child: int, grace: float, answered: bool, group: bool = False) -> bool:
    """See a child end, by signals where it does not by itself, and its group with it; False where it is left behind."""
    stages: List[Tuple[Optional[int], float]] = [(signal.SIGKILL, 0.5)]
    if grace:
        stages.insert(0, (signal.SIGTERM, grace))
    if answered:
        stages.insert(0, (None, 1.0))
    ended = False
    for number, seconds in stages:
        if number is not None:
            _kill(child, number)
        until = time.monotonic() + seconds
        while not ended and time.monotonic() < until:
            try:
                ended = os.waitpid(child, os.WNOHANG)[0] != 0
            except ChildProcessError:
                ended = True
            if not ended:
                time.sleep(0.001)
        if ended:
            break
    if group:
        _kill(-child)
    return ended
