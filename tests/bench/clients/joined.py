"""Joins the cgroups of what is measured and becomes a Python program: a py-spy that starts it stays out of them.

With SAMPLES=file it, and each process that it forks, notes there what it is doing, RATE times in a second of its CPU:
workers end before py-spy finds them. A line is a stack as py-spy writes it. Right where one thread does the work.
"""

import os
import random
import runpy
import signal
import sys


def note(_signal, frame):
    """One sample."""
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append(f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})")
        frame = frame.f_back
    os.write(FILE, f"{';'.join(reversed(stack))} 1\n".encode())


def sample():
    """Begin, at a moment that is not always the same."""
    signal.signal(signal.SIGPROF, note)
    every = 1 / float(os.environ["RATE"])
    signal.setitimer(signal.ITIMER_PROF, every * (random.random() + 0.001), every)


for one in os.environ["JOIN"].split():
    with open(f"{one}/cgroup.procs", "w") as group:
        group.write("0")
if os.environ.get("SAMPLES"):
    FILE = os.open(os.environ["SAMPLES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.register_at_fork(after_in_child=sample)
    sample()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
