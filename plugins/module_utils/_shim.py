# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first thing of the carrier that runs on a host: imports the sources from memory, asks, prints the answer.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. It is executed as text, with
the rest of what was sent in ``parts``: the request, then the sources.
"""

import json
import os
import re
import sys
from collections import namedtuple
from typing import Any, Dict, List

if sys.version_info < (3, 6):
    raise SystemExit("Python 3.6 or newer is needed, %s is %d.%d" % (sys.executable, *sys.version_info[:2]))

PACKAGE = "cbops_telemetry"


def record(name: str, fields: str, *defaults: Any) -> Any:
    """A class as NamedTuple makes it, whose import costs more: the last fields have these defaults."""
    kind = namedtuple(name, fields)  # type: ignore[misc]
    kind.__new__.__defaults__ = defaults
    return kind


class Late:
    """A regular expression that is compiled when it is used first: an audit uses few of all."""

    def __init__(self, *words: Any) -> None:
        self.words = words

    def __getattr__(self, name: str) -> Any:
        """What the expression has by this name, from now on without asking."""
        value = getattr(re.compile(*self.words), name)
        setattr(self, name, value)
        return value


class Importer:
    """Finds and loads modules of the package from memory."""

    def __init__(self, sources: Dict[str, str]) -> None:
        self.sources = sources  # by name below the package, such as host._files
        self.packages = {""}.union(name.rpartition(".")[0] for name in sources)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's specification, if it is one of ours."""
        top, _dot, inside = name.partition(".")
        if top == PACKAGE and (inside in self.sources or inside in self.packages):
            kind = type(sys.__spec__)  # ModuleSpec; its own module imports more
            return kind(name, self, is_package=inside in self.packages)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: Any) -> None:
        """Python's own way."""

    def exec_module(self, module: Any) -> None:
        """Run the module's source, with what _packing puts in. The name of its file is what a traceback shows."""
        name = module.__name__.partition(".")[2]
        if name in self.sources:
            code = compile(self.sources[name], name.replace(".", "/") + ".py", "exec", dont_inherit=True)
            module.record, module.late = record, Late
            exec(code, module.__dict__)  # noqa: S102 -- the collection's own source


def expand(values: Dict[str, Any], path: List[str]) -> None:
    """A user's home and variables in an option that is a path, as only the host knows them."""
    name, value = path[0], values.get(path[0])
    if value is None:
        return
    if path[1:]:
        expand(value, path[1:])
    elif isinstance(value, list):
        values[name] = [os.path.expanduser(os.path.expandvars(one)) for one in value]
    else:
        values[name] = os.path.expanduser(os.path.expandvars(value))


def run(texts: List[bytes]) -> None:
    """Answer the request, between its marks."""
    request = json.loads(texts[0].decode())
    words = [word for text in texts[1:] for word in text.decode().split("\0")]
    sys.meta_path.insert(0, Importer(dict(zip(words[::2], words[1::2]))))
    params = request["params"]

    def prepare() -> None:
        for path in request["paths"]:
            expand(params, path)

    module = __import__(PACKAGE + "._answer", fromlist=["_answer"])
    result = module.answer(request["function"], params, request["check_mode"], prepare)
    sys.stdout.write("\n%s%s%s\n" % (request["begin"], json.dumps(result), request["end"]))
    sys.stdout.flush()
    os._exit(0)  # the kernel is quicker at taking memory back


if "parts" in globals():
    run(globals()["parts"][1:])
