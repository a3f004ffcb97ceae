# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a launch script, and what it sources, to the ``java`` commands it would run, without running it.

A symbolic walk over the tree of :mod:`_parser`: variables hold characters that remember the file
and byte they came from; a condition that cannot be known is walked both ways; what stays unknown is
carried as unknown with its reason. Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..host._files import PASSING, HostFiles
from ..java._jvm import ENVIRONMENT, MAINS, PHONE_HOME, PROPERTY, is_java
from ..java._tomcat import BOOTSTRAP
from ..text._characters import EMPTY, Value
from ..text._value import Text, Unresolvable
from ._builtins import BUILTINS, CHANGES_READING, PATH, Builtins
from ._flow import LIMIT_DEPTH
from ._login import login_files, naming, pam_environment, profiles
from ._nodes import (
    AndOr,
    ArithmeticFor,
    Assignment,
    Block,
    Case,
    Command,
    CommandSubstitution,
    Condition,
    Pipeline,
    ProcessSubstitution,
    Select,
    Simple,
    inside,
)
from ._output import SILENT
from ._parser import BASH, DASH
from ._reach import COMMENT, reaches_jvm, script
from ._session import Launch, Mark, Oracle
from ._state import Variable
from ._words import LIMIT_PATH, Break, Leave, Return

LIMIT_PATHS = 200
LIMIT_TOTAL = 100000  # steps of all ways together
LIMIT_LAUNCHES = 100  # that one way through a script starts
#: Special builtins: in dash, assignments in front of them stay, and their errors end the script.
_SPECIAL = frozenset(
    [
        ".",
        ":",
        "break",
        "continue",
        "eval",
        "exec",
        "exit",
        "export",
        "readonly",
        "return",
        "set",
        "shift",
        "times",
        "trap",
        "unset",
    ]
)
#: Builtins that run other commands in this shell.
_RUNS_MORE = frozenset([".", "builtin", "command", "eval", "source"])
#: Builtins of bash that dash does not have.
_BASH_ONLY = frozenset(
    ["source", "declare", "typeset", "let", "shopt", "mapfile", "readarray", "builtin", "[[", "((", "function"]
)
#: What can be no command: an option, a misread assignment, the byte order mark, the end of a CRLF line.
_NO_COMMAND = re.compile(r"^$|^-|^\xef\xbb\xbf|=|\r")
_SHELLS = frozenset(["sh", "bash", "dash", "ksh", "ash"])
_TAKES_WORD = frozenset(["-o", "+o", "-O", "+O", "--rcfile", "--init-file"])
#: What the environment of a service has that no option of a JVM depends on.
_NOT_OF_INTEREST = frozenset(["HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TERM", "PWD", "MAIL", "PS1", "i"])
_NAMED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_EXPANDED = re.compile(r"\$\{?[A-Za-z_]\w*\b(?!:?=)")  # what reads a variable only
#: What takes the environment from a folder of files (runit, daemontools, s6).
_ENVIRONMENT_FOLDERS = frozenset(["chpst", "envdir", "s6-envdir"])
_CHANGES_USER = frozenset(["su", "runuser"])
#: What gives a program that it starts another environment than its own.
_HANDS_ON = frozenset(
    ["daemon", "daemonize", "doas", "env", "pkexec", "s6-env", "start-stop-daemon", "sudo", "systemd-run"]
)
_CHANGES_ENVIRONMENT = _HANDS_ON | _CHANGES_USER | _ENVIRONMENT_FOLDERS | {"setpriv"}
#: What starts a program as somebody else for root, and for others where they have leave.
_ASK = _CHANGES_USER | {"sudo", "doas", "pkexec"}
#: What starts a program as a user whom it is given.
_STARTS_AS = _ASK | {"chpst", "daemonize", "s6-setuidgid", "setuidgid", "start-stop-daemon"}
#: Commands that write none of the files which they name.
_LOOKS = frozenset(
    [
        "awk",
        "basename",
        "cat",
        "chcon",
        "chgrp",
        "chmod",
        "chown",
        "cmp",
        "cut",
        "date",
        "df",
        "diff",
        "dirname",
        "du",
        "echo",
        "egrep",
        "false",
        "file",
        "find",
        "getfacl",
        "grep",
        "head",
        "id",
        "kill",
        "logger",
        "ls",
        "md5sum",
        "mkdir",
        "pgrep",
        "pidof",
        "printf",
        "ps",
        "readlink",
        "realpath",
        "restorecon",
        "setfacl",
        "sha1sum",
        "sha256sum",
        "sleep",
        "sort",
        "stat",
        "tail",
        "test",
        "touch",
        "tr",
        "true",
        "ulimit",
        "umask",
        "wait",
        "wc",
        "which",
    ]
)
#: Commands that write the last of what they name, or into it where it is a folder; that remove; those that write.
_COPIES = frozenset(["cp", "install", "ln", "mv", "rsync"])
_REMOVES = frozenset(["rm", "rmdir", "unlink"])
_WRITES = _COPIES | _REMOVES | {"awk", "curl", "dd", "patch", "perl", "sed", "sort", "tee", "truncate", "wget"}
#: Commands that write into a folder of which they name the archive alone, with words that say so.
_UNPACKS = {
    "tar": r"\A-?[A-Za-z]*x|(?: |\A)(?:-[A-Za-z]*x|--(?:extract|get)\b)",
    "unzip": r"\A(?!(?:.* )?-[A-Za-z]*[lptvZ])",
}
_OUTPUT = re.compile(r"(?:of=|--?out[a-z-]*=|-[oO])(?=[^=]*/)")
#: What starts nothing, whatever words it is given: it looks for them, or prints them. Others must not have the name.
_LOOKS_FOR = re.compile(r"(?:(?:/usr)?/bin/)?(?:true|false|p(?:grep|kill)|[efz]?grep|kill(?:all)?)\Z|:\Z")
_PRINTS = re.compile(
    r"(?:(?:/usr)?/bin/)?(?:echo|printf|logger|expr)\Z|e(?:begin|info|end|warn)\Z"
    r"|log_(?:(?:success|failure|warning|daemon|action|progress|end|begin)_[a-z_]+|use_[a-z_]+)\Z"
)
#: Programs that start what they name in the same folder, and those that start it in another one.
_STAYS = frozenset(
    [
        "authbind",
        "chpst",
        "chrt",
        "dumb-init",
        "env",
        "envdir",
        "exec",
        "ionice",
        "nice",
        "nohup",
        "numactl",
        "runuser",
        "s6-envdir",
        "s6-setuidgid",
        "setsid",
        "setuidgid",
        "softlimit",
        "stdbuf",
        "su",
        "sudo",
        "taskset",
        "time",
        "timeout",
        "tini",
    ]
)
_MOVES = frozenset(["start-stop-daemon", "daemonize", "systemd-run", "-C", "--chdir", "-D", "-i", "--login", "-l"])
#: What shows a program other files.
_OTHER_FILES = frozenset(["chroot", "nsenter", "proot", "bwrap", "schroot", "systemd-nspawn"])
#: Builtins that print what there is where they are asked to, or given nothing.
_TELLS = frozenset(["declare", "typeset", "export", "readonly", "local", "set", "alias", "trap", "shopt"])
_TAKES_NAME = frozenset(["-u", "--user", "-g", "--group", "--chuid", "--chown", "-U", "-p", "--pidfile"])


def _began(fields: Sequence[Value], texts: Sequence[str], jar: int) -> Tuple[Optional[int], str]:
    """Where the options begin of the JVM whose war or main class is at ``jar``; its java, where that has a name."""
    for index in range(jar):
        if (
            is_java(texts[index])
            and not texts[index].startswith("-")
            and (not index or texts[index - 1] not in _TAKES_NAME)
        ):
            start = index + 1
            if "start-stop-daemon" in "".join(texts[:index]) and "--" in texts[start:jar]:
                start = texts.index("--", start) + 1  # what stands before is its own
            return start, texts[index]
    for index in range(1, jar):
        if texts[index] == "--":
            start = index + 1
            return start + (start < jar and not texts[start].startswith("-")), ""
    # A program of which only the name is unknown ($JAVA from a command), or a java by another name.
    for index in range(jar):
        whole = fields[index] and not texts[index] and fields[index].unknown(True)
        if whole or (not index and "java" in texts[0].rsplit("/", 1)[-1] and texts[0][0] != "-"):
            return index + 1, ""
    return None, ""


#: What sudo takes out whatever it is told (env.c, initial_badenv_table), as far as it matters here.
_SUDO_DELETES = frozenset(["BASH_ENV", "ENV", "JAVA_TOOL_OPTIONS"])
_PROPERTY_OF_ENVIRONMENT = re.compile(r"(?:--property=|-p=?)?(?:Pass|Unset)?Environment(?:File)?=")
#: Options of such programs behind which another word belongs to them.
_TAKES_ARGUMENT = re.compile(
    r"-[A-Za-z]*[CDRTUghprtu]\Z|--(?:chdir|chroot|close-from|description|gid|group|host|nice|property|prompt|role|setenv"
    r"|slice|type|uid|unit|unset|user|working-directory)\Z"
)


def _own_words(words: Sequence[str]) -> List[str]:
    """Options and assignments of a program that starts another one, without that."""
    own: List[str] = []
    for word in words:
        if not (own and _TAKES_ARGUMENT.match(own[-1])) and word[:1] != "-" and not re.match(r"[A-Za-z_]\w*=", word):
            break
        own.append(word)
    return own


#: Letters of such programs that take an argument, which may stand in the same word.
_WITH_ARGUMENT = {
    "chpst": "uUbe/nmdofpcrtlL",
    "daemonize": "acdEeopul",
    "env": "aCSu",
    "runuser": "cgGsTuw",
    "s6-env": "u",
    "setpriv": "",
    "start-stop-daemon": "INOPRacdegknprsuwx1234",
    "su": "cgGsTw",
    "sudo": "aCcDgGhpRrtTuU",
    "systemd-run": "EHMptu",
}
#: Those that take options behind what is none, too.
_PERMUTES = _CHANGES_USER | {"start-stop-daemon"}
#: Their long options that matter, which may be cut short, and the others that begin like one of these.
_LONG = {
    "env": ("chdir", "ignore-environment", "split-string", "unset"),
    "runuser": ("command", "login", "session-command", "shell", "supp-group", "user"),
    "setpriv": ("reset-env", "regid", "reuid"),
    "start-stop-daemon": ("env", "exec"),
    "su": ("command", "login", "session-command", "shell", "supp-group"),
    "sudo": ("list", "login", "preserve-env", "preserve-groups", "prompt", "user"),
    "systemd-run": ("property", "scope", "send-sighup", "service-type", "setenv", "slice", "slice-inherit"),
}


def _apart(fields: Sequence[Value]) -> List[Value]:
    """Words with the short options of such programs one by one, each argument in its own, and long options whole."""
    found: List[Value] = []
    program = ""
    takes = False  # the word before wants this one
    for field in fields:
        text = field.text
        if takes or text[:1] != "-":
            if not takes and (not re.match(r"[A-Za-z_]\w*=", text) or program not in _WITH_ARGUMENT):
                base = text.rsplit("/", 1)[-1]
                program = program if program in _PERMUTES and base not in _WITH_ARGUMENT else base
            found.append(field)
            takes = False
        elif text.startswith("--"):
            program = "" if text == "--" and program in _PERMUTES else program
            name, _equals, _value = text[2:].partition("=")
            whole = [one for one in _LONG.get(program, ()) if name and one.startswith(name)]
            if len(whole) == 1 or name in whole:
                field = Value.of("--" + (name if name in whole else whole[0])) + field[2 + len(name) :]
            found.append(field)
            takes = program in _WITH_ARGUMENT and _TAKES_ARGUMENT.match(field.text) is not None
        elif program not in _WITH_ARGUMENT or len(text) < 2:
            found.append(field)
        else:
            letters = _WITH_ARGUMENT[program]
            at = next((at for at in range(1, len(text)) if text[at] in letters), len(text))
            found.extend(Value.of("-" + letter) for letter in text[1 : at + 1])
            takes = at == len(text) - 1
            if at < len(text) - 1:
                found.append(field[at + 1 :])
    return found


def _logs_in(name: str, options: Sequence[str]) -> bool:
    return name in _CHANGES_USER and not {"-", "-l", "--login"}.isdisjoint(options)


class Shell(Builtins):
    """One shell process, walked symbolically."""

    kernel = False  # what it starts it has the kernel start, and does not read it itself where that cannot
    calling = ""  # the function that is called
    joined = False  # its text is words of another command, put together

    def _run_simple(self, node: Simple) -> Optional[bool]:
        if node.words:
            self.oracle.last = node
        fields: List[Value] = []
        if self.state.aliases and node.words and not node.words[0].quoted and node.name in self.state.aliases:
            raise self.unresolvable("'%s' is an alias" % node.name, node.text, node.start)
        for word in node.words:
            fields.extend(self.globbed(self.fields(word), word.text, word.start))
        if not fields:
            for assignment in node.assignments:
                self.do_assignment(assignment)
            if any(isinstance(part, CommandSubstitution) for a in node.assignments if a.word for part in a.word.parts):
                return None
            return True
        name = fields[0].text if fields[0].unknown(True) is None else ""
        if not node.assignments or (self.dialect == DASH and name in _SPECIAL):
            self._assign(node.assignments, name == "exec" and len(fields) > 1)
            return self._command(node, name, fields)
        # VAR=value command: for that command only.
        saved = {a.name: self.state.variables.get(a.name) for a in node.assignments}
        read_only = set(self.state.read_only)
        for assignment in node.assignments:
            self.do_assignment(assignment)
            self._export(assignment.name)
        temporary, unset = self.temporary, self.not_to_unset
        if name in self.state.functions:
            self.temporary = temporary | set(saved)
        if name in self.state.functions or name in _RUNS_MORE:
            self.not_to_unset = unset | set(saved)
        named = [item.name for item in node.declared] + [field.text for field in fields[1:]]
        try:
            return self._command(node, name, fields)
        finally:
            self.temporary, self.not_to_unset = temporary, unset
            if self.dialect == DASH:
                self.state.read_only = read_only
            for key, before in saved.items():
                if key not in named or not self._keeps(name, fields):
                    self._restore(key, before)

    def _assign(self, assignments: Sequence[Assignment], exported: bool) -> None:
        """What stands in front of a special builtin; the program that exec starts has it (dash: VEXPORT)."""
        for assignment in assignments:
            self.do_assignment(assignment)
            if exported:
                self._export(assignment.name)

    def _export(self, name: str) -> None:
        self.state.variables[name] = self.state.variables[name]._replace(exported=True)

    def _keeps(self, name: str, fields: List[Value]) -> bool:
        """Whether what stands in front of a declaration stays: by bash where it exports, or nobody may assign."""
        letters = "".join(field.text for field in fields[1:] if field.text.startswith("-"))
        if name in ("export", "readonly"):
            return "n" not in letters
        stays = bool(self.state.scopes) or bool({"r", "x"} & set(letters))
        return name in ("declare", "typeset") and stays and "g" not in letters

    def _command(self, node: Simple, name: str, fields: List[Value]) -> Optional[bool]:
        builtin = BUILTINS.get(name)
        if name in self.state.functions and name not in ("exit", "return", "set", "export", ".", "eval", "exec"):
            return self._call(name, fields[1:], node)
        if self.dialect == DASH and name in _BASH_ONLY:
            return False
        if (
            self.printing is not None
            and not node.quiet
            and (
                name == "printf"
                or (builtin is None and name not in SILENT)
                or (name in _TELLS and (len(fields) + len(node.declared) == 1 or "-p" in [one.text for one in fields]))
            )
        ):
            return self.overhear(node, name, fields)
        if builtin is not None:
            return builtin(self, node, fields, node.declared)
        return self._external(node, name, fields)

    def _call(self, name: str, arguments: List[Value], node: Command) -> Optional[bool]:
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("functions call each other too deeply", node.text, node.start)
        saved, self.state.arguments = self.state.arguments, list(arguments)
        loops, self.loops = self.loops, 0
        calling, self.calling = self.calling, name
        self.state.scopes.append({})
        self.depth += 1
        self.returns += 1
        try:
            return self.run(self.state.functions[name])
        except Return as leave:
            return leave.status
        finally:
            self.depth -= 1
            self.returns -= 1
            self.loops = loops
            self.calling = calling
            self.state.arguments = saved
            for hidden, variable in self.state.scopes.pop().items():
                self._restore(hidden, variable)

    # -- what starts other programs -----------------------------------------------------------

    def _external(self, node: Command, name: str, fields: List[Value]) -> Optional[bool]:
        count = len(self.session.found)
        status = self._started(node, name, fields)
        if len(self.session.found) > count:
            self._check_starter(node, [field.text for field in fields])
        if len(self.session.found) > count and self.session.user not in ("", "root", "0"):
            asks = next((text for text in [one.text for one in fields[:6]] if text.rsplit("/", 1)[-1] in _ASK), None)
            if asks is not None:
                raise self.unresolvable(
                    "'%s' wants a password or a rule from whoever is not root, and this is started "
                    "as %s" % (asks, self.session.user),
                    node.text,
                    node.start,
                )
        return status

    def _check_starter(self, node: Command, texts: Sequence[str]) -> None:
        """A user, a shell or a program of which the name ends in the carriage return of its line is not there."""
        starter = ""
        for before, text in zip(("",) + tuple(texts), texts):
            base = text.rsplit("/", 1)[-1]
            if not starter:
                starter = base if base in _STARTS_AS else ""
                if not starter and base not in _STAYS:
                    return
            elif (
                text in ("--", "--command", "-jar")
                or "java" in text
                or " " in text
                or (text == "-c" and starter in _CHANGES_USER)
            ):
                return
            elif "\r" in text and before not in ("-p", "--pidfile") and not text.startswith("--pidfile="):
                raise self.unresolvable(
                    "a word that '%s' is given holds a carriage return, so it starts nothing" % starter,
                    node.text,
                    node.start,
                )

    def _started(self, node: Command, name: str, fields: List[Value]) -> Optional[bool]:
        base = name.rsplit("/", 1)[-1]
        known_name = fields[0].unknown(True) is None
        if self.joined:
            self._opens(node)
        texts = [field.text for field in fields]
        other = next((text for text in texts[:6] if text.rsplit("/", 1)[-1] in _OTHER_FILES), None)
        if other is not None and re.search(r"\bjava\b|-jar\b|\.sh\b|\.war\b", " ".join(texts)):
            raise self.unresolvable(
                "'%s' shows what it starts other files than the host's" % other, node.text, node.start
            )
        first = fields[len(texts) > 1 and base == "nohup"]
        prints = first.unknown(True) is None and _PRINTS.match(first.text) is not None
        silent = (prints and not self.to_shell) or (
            first.unknown(True) is None and _LOOKS_FOR.match(first.text) is not None
        )
        if not silent and self._record(node, fields):
            return None
        for index, text in enumerate(() if silent else texts):
            word = text.rsplit("/", 1)[-1]
            if word in _SHELLS or word in _CHANGES_USER or word == "sudo":
                if self._inner_shell(node, word, fields[index:], fields[: index + (word == "sudo")]):
                    return None
        # A program nobody knows that gets a whole command in one argument runs it with a shell.
        for field in () if silent else fields[1:]:
            if re.search(r"\s-jar\s", field.text):
                self._nested(
                    field, self.dialect, [], self.exported(), self.closed, node, "", (), self._folder_of(texts[:1])
                )
                return None
        if prints and not silent and re.search(r"-jar\b|\b%s\b" % re.escape(BOOTSTRAP), " ".join(texts)):
            raise self.unresolvable("what '%s' prints may be started" % first.text, node.text, node.start)
        if _takes_program(texts):
            self._refuse_input(node)
        self._follow(node, fields)
        if known_name and _NO_COMMAND.search(name):
            return False
        self.touches(["" if field.unknown(True) else field.text for field in fields])
        return {"true": True, ":": True, "false": False, "echo": True}.get(base)

    def _refuse_input(self, node: Command) -> None:
        """A shell takes its commands from its input, or from what another command prints."""
        parts = [part for word in node.words for part in word.parts] if isinstance(node, Simple) else []
        printed = [part.body for part in parts if isinstance(part, ProcessSubstitution) and part.source]
        if self.input is not None:
            text: Optional[str] = "".join(value.text for value in self.input)
        elif printed:
            text = "\n".join(body.raw for body in printed)
            text = text if re.match(r"(?:echo|printf)\s[^$`]*\Z", text) else None
        elif node.input is not None:
            text = None
        else:
            return
        if text is None or reaches_jvm(self.files, text, None, self.state.folder):
            raise self.unresolvable(
                "a shell is given its commands otherwise than by name, and what that reads is not followed",
                node.text,
                node.start,
            )

    def touches(self, texts: Sequence[str]) -> None:
        """Remember the files that a program may write, which are those that it names."""
        texts = _behind_starters(texts)
        base = texts[0].rsplit("/", 1)[-1]
        words = [text for text in texts[1:] if text[:1] != "-"]
        if base in ("touch", "mkdir"):
            for place in filter(None, map(self.absolute, words)):
                if len(place) > LIMIT_PATH or self.files.exists(place):
                    continue
                for match in re.finditer(r"/[^/]+", place):
                    self.spend(match.end())
                    first = place[: match.end()]
                    if not self.files.exists(first):  # and so is all below that
                        self.oracle.made.update([*self._names(first), *(name + "/" for name in self._names(first))])
                        break
        if _only_looks(base, texts):
            return
        places = [(_OUTPUT.sub("", text), False) for text in texts[1:] if "/" in text or base in _WRITES]
        if base in ("curl", "wget"):
            places = _fetched(texts)
        elif base in _COPIES:
            places = self._copied(base, texts)
        elif base in _REMOVES:
            below = any(re.match(r"-[a-zA-Z]*[rR]|--rec", text) for text in texts)
            places = [(word, below) for word in words]
        elif base in _UNPACKS and re.search(_UNPACKS[base], " ".join(texts[1:])):
            given = [text.partition("=")[2] for text in texts if text.startswith("--directory=")]
            given += [following for text, following in zip(texts, texts[1:]) if text in ("-C", "--directory", "-d")]
            places.append((given[-1] if given else ".", True))
        writes = base in _WRITES and (base != "perl" or any(re.match(r"-[A-LN-Z0-9a-z]*i", text) for text in texts))
        for name, below in places:
            if name.endswith("/*") and len(name) > 2:
                name, below = name[:-2], True
            place = (self.absolute(name) if name != "." else self.state.folder) or ""
            if place:
                self.writes(place, below or writes, below)

    def _copied(self, base: str, texts: Sequence[str]) -> List[Tuple[str, bool]]:
        """What a program writes that copies or moves files, or makes links, and whether all below that."""
        target = ""
        words: List[str] = []
        takes = False
        for text in texts[1:]:
            if takes:
                target, takes = text, False
            elif text.startswith("--target-directory="):
                target = text.partition("=")[2]
            elif base != "rsync" and re.match(r"-[A-Za-z]*t\Z|--target-directory\Z", text):
                takes = True
            elif base != "rsync" and re.match(r"-t.", text):
                target = text[2:]
            elif text[:1] != "-":
                words.append(text)
        inside = bool(target)
        if not inside and words:
            target = words.pop()
            place = self.absolute(target)
            inside = base != "ln" and place is not None and self.files.test("d", place) is True
        below = base in ("mv", "ln") or any(re.match(r"-[a-zA-Z]*[rRa]|--(?:archive|rec)", text) for text in texts[1:])
        places = [] if inside else [(target, below)]
        for word in words if target else ():
            name = word.rstrip("/").rsplit("/", 1)[-1]
            if name in ("", ".", "..") or re.search(r"[*?\[]", name) or (base == "rsync" and word.endswith("/")):
                places.append((target, True))
            else:
                places.append((target.rstrip("/") + "/" + name, below))
        return places + [(word, True) for word in words if base == "mv"]

    def _opens(self, node: Command) -> None:
        """A command that came about by chance may open what is not there, or may not be made, and then does not run."""
        for redirection in node.redirections:
            path = redirection.target.literal() or "?"
            if redirection.opens and not (path.startswith("/") and self.files.exists(path.rpartition("/")[0])):
                raise self.unresolvable(
                    "'daemon' joins its words to a command that opens %s where it is started" % path,
                    node.text,
                    node.start,
                )

    def _inner_shell(self, node: Command, base: str, fields: List[Value], prefix: Sequence[Value]) -> bool:
        """``sh -c``, ``su -c``, ``runuser -c``: walk the command string as a program of its own."""
        fields = _apart(fields) if base in _CHANGES_USER else fields
        texts = [field.text for field in fields]
        before = [field.text for field in prefix]
        self.spend(len(fields), 0, node.text, node.start)
        environment, closed = self._handed_on(prefix), self._is_closed(before)
        login = any(text in ("-", "-l", "--login") for text in texts[1:])
        if base in _CHANGES_USER:
            if login:
                environment, closed = {}, False
            environment.update(pam_environment(self.files, base + "-l" if login else base))
        dialect = self.files.dialect(base) if base in _SHELLS else BASH
        for index in range(1, len(fields)):
            text = texts[index]
            if text == "--" and base in _SHELLS:
                return False
            if base in ("su", "runuser") and text.startswith(("--shell=", "-s")):
                path = text.split("=", 1)[1] if "=" in text else "".join(texts[index + 1 : index + 2])
                dialect = self.files.dialect(path) if path else dialect
            command: Optional[Value] = None
            following = index + 1
            if text in ("-c", "--command", "--session-command") or (base in _SHELLS and re.match(r"-[a-z]*c\Z", text)):
                following = index + 1
                while base in _SHELLS and following < len(fields) and re.match("[-+].", texts[following]):
                    following += 1 + (texts[following] in _TAKES_WORD)  # options may stand behind it
                command = fields[following] if following < len(fields) else None
                following += 1
            elif text.startswith(("--command=", "--session-command=")):
                command = fields[index][text.index("=") + 1 :]
            if command is not None:
                letters = text[1:] if base in _SHELLS else ""
                if base in _SHELLS:
                    read_first = self._read_first(base, dialect, texts, environment, command.text, node)
                else:
                    read_first = profiles(self.files, dialect, texts) if login else []
                    closed = closed or bool(read_first)  # a login starts from nothing, and what it reads is read
                folder = self._folder_of(list(before) + texts[: 1 if base in _SHELLS else None])
                self._nested(
                    command,
                    dialect,
                    fields[following + 1 :],
                    environment,
                    closed,
                    node,
                    letters,
                    read_first,
                    folder,
                    self._called_so(base, texts[0], fields[following : following + 1]),
                    login and base in _CHANGES_USER,
                )
                return True
        return False

    @staticmethod
    def _called_so(base: str, name: str, given: Sequence[Value]) -> str:
        """What a shell is called that walks a string: ``$0`` in it. A word behind the string tells."""
        if given and base in _SHELLS:
            return given[0].text if not given[0].unknown(True) else ""
        return name if base in _SHELLS else "bash"

    def _read_first(
        self,
        shell: str,
        dialect: str,
        options: Sequence[str],
        environment: Dict[str, Value],
        program: str,
        node: Command,
    ) -> List[str]:
        """Files that a shell reads before its program, where they may set what that, or a JVM, reads."""
        given: Set[str] = set()
        arguments = list(options[1:])
        while arguments and re.match(r"[-+].", arguments[0]):
            word = arguments.pop(0)
            given.update([word] if word.startswith("--") else word[1:])
            option = arguments[0] if re.match(r"-[A-Za-z]*O\Z", word) and arguments else ""
            plain = option == "extglob" and not re.search(r"[?*+@!]\(", program)  # no text that it makes a pattern
            if option in CHANGES_READING | {"nullglob"} and not plain:
                raise self.unresolvable("'shopt' changes how the rest is read", node.text, node.start)
            if word in _TAKES_WORD:
                arguments = arguments[1:]
        names = set(ENVIRONMENT) | set(environment) | set(_NAMED.findall(program))
        sets = naming(self.files, names - _NOT_OF_INTEREST)
        if re.search(r"(?:^|[\s;&|])(?:\.|source|eval)\s", program):
            sets = re.compile("")  # it reads more, and with that other names
        home = (environment.get("HOME", Value.of("/root"))).text
        if given & {"l", "--login"}:
            return login_files(self.files, dialect, home, sets)
        files: List[str] = []
        if dialect == BASH and "i" in given:
            for path in ("/etc/bash.bashrc", "/etc/bashrc", home + "/.bashrc"):
                if self.files.exists(path) and sets.search(self.files.read(path)):
                    raise self.unresolvable("an interactive shell reads %s" % path, node.text, node.start)
        elif shell == "bash" and "BASH_ENV" in environment:
            reason = environment["BASH_ENV"].unknown(True)
            if reason:
                raise self.unresolvable("what $BASH_ENV names is not known: " + reason, node.text, node.start)
            files = [environment["BASH_ENV"].text]
        return [path for path in files if self.files.exists(path)]

    def _nested(
        self,
        command: Value,
        dialect: str,
        arguments: List[Value],
        environment: Dict[str, Value],
        closed: bool,
        node: Command,
        letters: str = "",
        read_first: Sequence[str] = (),
        folder: Optional[str] = None,
        zero: Optional[str] = None,
        fresh: bool = False,
    ) -> None:
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("shells call each other too deeply", node.text, node.start)
        child = Shell(
            self.session,
            dialect,
            self.zero if zero is None else zero,
            arguments,
            environment,
            closed,
            self.depth + 1,
            folder,
        )
        child.options("-", letters)
        child.fresh = fresh or self.fresh
        child.to_shell = self.to_shell
        child.joined = self.calling == "daemon"
        child.execute(Text.from_value(command), read_first, node)

    def execute(self, text: Text, read_first: Sequence[str] = (), node: Optional[Command] = None) -> Optional[bool]:
        """Parse and walk a whole program text, after what the shell reads before it; ``exit`` ends it."""
        if read_first and self.dialect == BASH:
            self.state.variables["PS1"] = Variable(EMPTY)  # it is not interactive
        try:
            for path in read_first:
                self._source(node or Simple(text, 0), [Value.of("."), Value.of(path)], [])
            status = self.run(self.parsed(text))
        except (Leave, Break):
            status = None
        self._run_trap()
        return status

    def _follow(self, node: Command, fields: List[Value], prefix: Sequence[Value] = ()) -> None:
        """A command that is itself a shell script by absolute path: walk that too; ``prefix`` stands before it."""
        texts = [field.text for field in fields[:12]]
        given: Optional[int] = None  # where a shell stands that is given the script
        behind = _behind_starters(texts) if texts else texts
        if behind is not texts and behind[0] in _LOOKS - {"awk", "find"}:  # which start what they are told to
            return
        for index, (field, name) in enumerate(zip(fields, texts)):
            path = (self.absolute(name) if "/" in name or given is not None else None) or ""
            shell, given = given, index if name.rsplit("/", 1)[-1] in _SHELLS else given
            if (
                not path
                or name[:1] in "-+"
                or field.unknown(True)
                or (shell is not None and re.match(r"[-+][A-Za-z]*[oO]\Z", texts[index - 1]))
            ):
                continue
            if shell == given:
                given = None
            script = self._script(path, texts[:index], shell)
            by_path = shell is None and (not index or texts[0].rsplit("/", 1)[-1] in _STAYS - _CHANGES_USER)
            inner = interpreted(self.files, path) if script is None else None
            started, arguments = path, fields[index + 1 :]
            if inner is not None:
                self.session.followed.append(self.files.origin(path))
                script, path, arguments = read_script(self.files, inner[1]), inner[1], fields[index:]
            if script is None:
                continue
            content, dialect = script
            self.spend(0, len(content), node.text, node.start)
            if not reaches_jvm(self.files, inner[0] if inner else content, path, self.state.folder):
                return
            if any(self.is_among(one, self.oracle.written) for one in (started, path, self.files.origin(path))):
                raise self.unresolvable("it starts %s, which may be written before" % started, node.text, node.start)
            if by_path and self.files.test("f", started) and self.files.test("x", started) is False:
                raise Unresolvable("nobody may execute it, so it does not start", self.files.origin(started))
            if self.depth > LIMIT_DEPTH:
                raise self.unresolvable("scripts call each other too deeply", node.text, node.start)
            before = list(prefix) + fields[:index]
            environment = self._handed_on(before)
            child = Shell(
                self.session,
                dialect,
                name if inner is None else path,
                arguments,
                environment,
                self._is_closed([one.text for one in before]),
                self.depth + 1,
                self._folder_of([one.text for one in before]),
            )
            child.fresh = self.fresh
            child.to_shell = self.to_shell
            origin = self.files.origin(path)
            child.state.called[origin] = child.zero
            words = list(_interpreter(content)) if shell is None else texts[shell:index]
            for word in words[1:]:
                if re.match(r"[-+][a-z]+\Z", word):
                    child.options(word[0], word[1:])
            self.session.followed.append(origin)
            read_first = self._read_first(words[0].rsplit("/", 1)[-1], dialect, words, environment, content, node)
            child.execute(Text(content, origin), read_first, node)
            return

    def _script(self, path: str, before: Sequence[str], given: Optional[int]) -> Optional[Tuple[str, str]]:
        """Text and dialect of the script that stands behind these words; None where it is none, or does not start.

        A shell that is given one (the word number ``given``) reads it whatever its first line says. The kernel does not
        start one without a ``#!`` line: a shell then reads it itself, and other programs have sh read it.
        """
        if given is not None:
            return read_script(self.files, path, self.files.dialect(before[given]))
        text = script(self.files, path) if self.kernel and not before else None
        if text and not text.startswith("#!"):
            raise Unresolvable("it has no #! line, so the kernel cannot start it", path)
        programs = [word.rsplit("/", 1)[-1] for word in before[:1]]
        if programs:
            return read_script(self.files, path, None, self.files.dialect("sh") if programs[0] in _STAYS else None)
        return read_script(self.files, path, None, None if self.kernel else self.dialect)

    def _handed_on(self, before: Sequence[Value]) -> Dict[str, Value]:
        """The environment that the words before a program hand on: ``env`` and ``sudo`` add to it, or begin anew."""
        environment = self.exported()
        before = _apart(before)
        texts = [field.text for field in before]
        names = [text.rsplit("/", 1)[-1] for text in texts]
        assigns = False
        for index, name in enumerate(names):
            if name in _CHANGES_ENVIRONMENT:  # few words are, and each looks at all that stand behind it
                self.spend(100 + len(names))
                assigns = assigns or name in _HANDS_ON or name in _CHANGES_USER
                environment = self._handed_on_by(name, texts[index + 1 :], environment)
            match = re.match(r"(?:--(?:set)?env=)?([A-Za-z_][A-Za-z0-9_]*)=", texts[index]) if assigns else None
            if match:
                environment[match.group(1)] = before[index][match.end() :]
        return environment

    def _handed_on_by(self, name: str, options: List[str], environment: Dict[str, Value]) -> Dict[str, Value]:
        """What one such program makes of an environment; the variables that it assigns come behind."""
        kept = ",".join(word[15:] for word in _own_words(options) if word.startswith("--preserve-env=")).split(",")
        if self._begins_anew(name, options):
            environment = {key: value for key, value in environment.items() if key in kept}
        elif name == "sudo":  # env_delete of sudoers(5), which -E does not lift
            environment = {k: v for k, v in environment.items() if k in kept or k not in _SUDO_DELETES}
        if name == "sudo" or name in _CHANGES_USER:
            environment.update(pam_environment(self.files, name + "-l" if _logs_in(name, options) else name))
        self._refuse_settings(name, options)
        if name in ("env", "s6-env"):
            for option, following in zip(options, options[1:] + [""]):
                environment.pop(following if option in ("-u", "--unset") else option.partition("--unset=")[2], None)
        elif name in _ENVIRONMENT_FOLDERS:
            given = [following for option, following in zip(options, options[1:]) if option == "-e"]
            if name != "chpst":
                given = options[len(_own_words(options)) :][:1]
            for folder in given:
                self._read_environment_folder(folder, environment)
        return environment

    def _refuse_settings(self, name: str, options: Sequence[str]) -> None:
        """What sets variables in a way that is not followed: properties of a unit, the profiles of a login."""
        own = _own_words(options)
        if name == "systemd-run" and any(_PROPERTY_OF_ENVIRONMENT.match(word) for word in options):
            raise Unresolvable("'systemd-run' is given a property of the environment, which is not followed")
        if name == "sudo" and not {"-i", "--login"}.isdisjoint(own):
            words = [name] + list(options) + ([] if any(re.match("-u|--user", word) for word in own) else ["root"])
            read = profiles(self.files, BASH, words) or profiles(self.files, DASH, words)
            if read:
                raise Unresolvable("'sudo -i' is a login, and what that reads is not followed", read[0])

    @staticmethod
    def _begins_anew(name: str, words: Sequence[str]) -> bool:
        """Whether a program gives what it starts nothing of its own environment."""
        if name in ("sudo", "doas", "pkexec"):
            return not any(re.match(r"-[A-Za-z]*E|--preserve-env\Z", word) for word in _own_words(words))
        if name in ("env", "s6-env"):
            return any(re.match(r"-\Z|-[A-Za-z]*i|--ignore-environment\Z", word) for word in _own_words(words))
        if name == "daemon":  # libslack's: where it is given variables these are all, if not told otherwise
            given = any(re.match(r"-V|--env=", word) for word in words)
            return given and {"-I", "--inherit"}.isdisjoint(words)
        return (
            _logs_in(name, words)
            or (name == "setpriv" and "--reset-env" in words)
            or (name == "systemd-run" and "--scope" not in _own_words(words))
        )

    def _is_closed(self, before: Sequence[str], fresh: bool = False) -> bool:
        """Whether all of what the words in front of a program hand on is known, or all that matters (``fresh``)."""
        before = [field.text for field in _apart([Value.of(text) for text in before])]
        names = [text.rsplit("/", 1)[-1] for text in before]
        return (self.closed or fresh) and not any(
            name in _CHANGES_ENVIRONMENT - {"env", "s6-env"} and self._begins_anew(name, before[index + 1 :])
            for index, name in enumerate(names)
        )

    def _read_environment_folder(self, folder: str, environment: Dict[str, Value]) -> None:
        """``chpst -e``, ``envdir``: a file of a folder is a variable, its first line the value; an empty one none."""
        path = self.absolute(folder)
        if path is None:
            raise Unresolvable("what is in the folder of variables %s is not known" % folder)
        for name in self.files.list(path):
            try:
                content = self.files.read("%s/%s" % (path, name))
            except OSError as error:
                raise Unresolvable("a folder of variables cannot be read: %s" % error.strerror, "%s/%s" % (path, name))
            self.spend(1, len(content))
            if "=" in name or not content:
                environment.pop(name, None)
                continue
            line = content.split("\n", 1)[0].rstrip(" \t")
            environment[name] = (
                Value.of(line, "%s/%s" % (path, name)) if "\0" not in line else Value.of(line.replace("\0", "\n"))
            )

    def _record(self, node: Command, fields: List[Value]) -> bool:
        """Note the command where it starts ``java -jar`` or Tomcat; says whether it did."""
        texts = [field.text for field in fields]
        mark = next((text for text in texts[1:] if text == BOOTSTRAP or text in MAINS), "")
        mark = "-jar" if "-jar" in texts else mark
        if not mark or "\r" in texts[0]:
            return False
        start, java = _began(fields, texts, texts.index(mark))
        if start is None:
            return False
        given = next((at for at in range(start - 1) if re.match(r"-[a-z]*c\Z|--(?:session-)?command\b", texts[at])), 0)
        shells = [text.rsplit("/", 1)[-1] for text in texts[:given]]
        if not (_SHELLS | _CHANGES_USER).isdisjoint(shells):
            return False  # it is the shell's whole text, and what follows are arguments of that
        environment = self._handed_on(fields[:start])
        kept = {
            name: value
            for name, value in environment.items()
            if self.files.variables
            or name in ENVIRONMENT
            or name in ("JENKINS_HOME", "CLASSPATH", "CASC_JENKINS_CONFIG", PHONE_HOME)
        }
        if len(self.session.found) >= LIMIT_LAUNCHES:
            raise Unresolvable("it starts more than %d JVMs" % LIMIT_LAUNCHES)
        java = java or (texts[start - 1] if start else "")
        if self._wraps(node, java, fields[:start], fields[start:], environment.get("PATH")):
            return True
        closed = self._is_closed(texts[:start], self.fresh)
        launch = Launch(fields[start:], kept, closed, java, self._folder_of(texts[: start - 1]))
        for path in launch.option_files(self.files):
            if any(map(PASSING.match, self._names(path))):
                raise self.unresolvable(
                    "the JVM reads %s, which is made anew before it starts" % path, node.text, node.start
                )
            if self.is_among(path, self.oracle.touched):
                raise self.unresolvable(
                    "the JVM reads a file of options which may be written before", node.text, node.start
                )
        self.session.found.append(launch)
        return True

    def _wraps(
        self, node: Command, java: str, before: Sequence[Value], words: List[Value], folders: Optional[Value]
    ) -> bool:
        """Walk a ``java`` that is a shell script; says whether that starts a JVM, with other options perhaps."""
        path = self._program(java, folders)
        if path is None or self.files.origin(path) in self.state.called:
            return False
        count = len(self.session.found)
        if read_script(self.files, path) is not None:
            self._follow(node, [Value.of(path)] + words, before[:-1])
        if len(self.session.found) > count:
            return True
        # A shim has another program find the java that is behind itself; one that speaks of options may change them.
        try:
            text = _EXPANDED.sub("", COMMENT.sub("", script(self.files, path) or ""))
        except (OSError, ValueError):
            return False
        if PROPERTY in text or naming(self.files, ENVIRONMENT).search(text):
            raise self.unresolvable(
                "%s is a script that sets options of the JVM, and it was not followed to one" % path,
                node.text,
                node.start,
            )
        return False

    def _program(self, name: str, handed_on: Optional[Value] = None) -> Optional[str]:
        """Where the program of a name lies, as far as the folders are known in which it is looked for."""
        if "/" in name or not name:
            return self.absolute(name)
        own = self.state.variables.get("PATH") if not self.kernel else None
        folders = handed_on or (own.value if own is not None else None)
        searched = [folder for folder in folders.text.split(":") if folder] if folders is not None else []
        if folders is None or folders.unknown(True):
            searched += PATH
        return next(
            (path for path in ("%s/%s" % (folder, name) for folder in searched) if self.files.test("f", path)), None
        )

    def _folder_of(self, texts: Sequence[str]) -> Optional[str]:
        """Where a program is started that stands behind these words; None where they may choose another folder."""
        texts = [field.text for field in _apart([Value.of(text) for text in texts])]
        names = [text.rsplit("/", 1)[-1] for text in texts]
        if (
            names
            and names[0] == "start-stop-daemon"
            and not {"-d", "--chdir"} & set(texts)
            and not any(text.startswith("--chdir=") for text in texts)
        ):
            return "/"
        programs = [name for name in names if name in _STAYS or name in _SHELLS]
        logs_in = names[:1] and names[0] in _CHANGES_USER and "-" in texts
        return None if logs_in or _MOVES & set(names) or (names and names[0] not in programs) else self.state.folder


def _behind_starters(texts: Sequence[str]) -> Sequence[str]:
    """The words of what writes files or looks at them, where sudo and its like stand before."""
    names = [text.rsplit("/", 1)[-1] for text in texts[:12]]
    for index, name in enumerate(names if names[0] in _STAYS else ()):
        if name in _LOOKS | _WRITES and not _TAKES_ARGUMENT.match(texts[index - 1]):
            return texts[index:]
    return texts


def _fetched(texts: Sequence[str]) -> List[Tuple[str, bool]]:
    """What curl and wget write: all that they name but what is sent, and what has its name from where it comes."""
    pairs = list(zip(texts, texts[1:]))
    named = [_OUTPUT.sub("", text) for before, text in pairs if before not in ("-T", "--upload-file")]
    folders = ["."] + [text for before, text in pairs if before in ("-P", "--directory-prefix", "--output-dir")][:3]
    named += ["%s/%s" % (folder, text.rsplit("/", 1)[-1]) for folder in folders for text in texts if "://" in text]
    return [(name, False) for name in named]


def _only_looks(base: str, texts: Sequence[str]) -> bool:
    """Whether a program writes none of the files that it names."""
    if base == "sed":
        return not any(re.match(r"-[a-zA-Z]*i|--in-p", text) for text in texts)
    if base == "sort":
        return not any(re.match(r"-[a-zA-Z]*o|--o", text) for text in texts)
    return base in _LOOKS and not (base == "awk" and "inplace" in texts)


def _takes_program(texts: Sequence[str]) -> bool:
    """Whether it is a shell, or ``at``, that is given no script by name: it takes its commands from its input."""
    names = [text.rsplit("/", 1)[-1] for text in texts[:12]]
    at = next((index for index, name in enumerate(names) if name in _SHELLS or name in ("at", "batch")), None)
    if at is None or (at and names[0] not in _STAYS):
        return False
    rest = list(texts[at + 1 :]) if names[at] in _SHELLS else []
    while rest and re.match(r"[-+].", rest[0]):
        word = rest.pop(0)
        if re.match(r"-[a-z]*s", word):
            return True
        rest = rest[word in _TAKES_WORD :]
    return not rest or not rest[0]


def _interpreter(content: str) -> Tuple[str, str]:
    """The program of a ``#!`` line and its options."""
    words = content.split("\n", 1)[0][2:].split()
    while words and (words[0].endswith("/env") or words[0] == "-S"):
        words = words[1:]
    return (words[0] if words else ""), (words[1] if len(words) > 1 else "")


def interpreted(files: HostFiles, path: str) -> Optional[Tuple[str, str]]:
    """A script whose interpreter is a shell script itself (init-d-script of Debian): its text and the interpreter."""
    try:
        content = files.read(path) if files.head(path) == b"#!" else ""
    except (OSError, ValueError):
        return None
    interpreter = _interpreter(content)[0]
    if not interpreter.startswith("/") or interpreter == path or read_script(files, interpreter) is None:
        return None
    return content, interpreter


def read_script(
    files: HostFiles, path: str, given: Optional[str] = None, bare: Optional[str] = None
) -> Optional[Tuple[str, str]]:
    """Text and dialect of a shell script at ``path``; None where it is no readable shell script.

    ``given`` is the dialect of a shell that reads it whatever its first line says, ``bare`` that of the one which reads
    it where it has no ``#!`` line.
    """
    try:
        if given is None and bare is None:
            content = files.read(path) if files.head(path) == b"#!" else ""
        else:
            content = script(files, path) or ""
    except (OSError, ValueError):
        return None
    if given is not None or (bare is not None and not content.startswith("#!")):
        return (content, given or bare or BASH) if content else None
    # The kernel takes a carriage return as part of the name, so such a script does not start.
    first_line = content.split("\n", 1)[0]
    if not content.startswith("#!") or "\r" in first_line:
        return None
    words = first_line[2:].split()
    if len(words) > 2 and words[0].endswith("/env") and words[1] != "-S":
        return None  # the kernel gives all of them as one word, and there is no such program
    program = _interpreter(content)[0]
    return (content, files.dialect(program)) if program.rsplit("/", 1)[-1] in _SHELLS else None


class Walk:
    """Result of following a program every way it may go."""

    def __init__(self) -> None:
        self.paths: List[List[Launch]] = []
        self.ways = 0  # how many there are, also those that start no JVM
        self.sourced: List[str] = []
        self.followed: List[str] = []  # scripts that were started, not sourced
        self.texts: List[str] = []  # of which the text was put into words
        self.names: List[str] = []
        self.end: Optional[str] = None  # in words, how the first way ended that starts no JVM


#: Commands that are called otherwise than their class.
_KINDS = {Select: "loop", ArithmeticFor: "loop"}
_TESTS = frozenset(["[", "[[", "test"])
_SECRET = re.compile(r"pass|secret|token|key|cred|pwd|auth", re.IGNORECASE)


def _end_of(shell: Shell, oracle: Oracle) -> Optional[str]:
    """Where a way through a script ended, and what led there; without values, which can be secrets."""
    if oracle.last is None:
        return None
    said = "the last command is '%s'%s" % (_named(oracle.last), _at(shell, oracle.last))
    decision = oracle.decisive
    if decision is None or (oracle.ended is not None and oracle.ended is not oracle.last):
        return said
    place = _at(shell, decision.test)
    if decision.branch is not None and isinstance(decision.test, Case):
        branch = "the branch '%s'" % _plain(decision.branch) if decision.branch else "no branch"
        return "%s, because 'case %s'%s takes %s" % (said, _plain(decision.test.subject.raw), place, branch)
    outcome = {True: "is true", False: "is false", None: "is not known"}[decision.outcome]
    return "%s, because '%s'%s %s" % (said, _named(decision.test), place, outcome)


def _at(shell: Shell, node: Command) -> str:
    place = shell.unresolvable("", node.text, node.start)
    return " (%s:%s)" % (place.path, place.line) if place.path and place.line else ""


def _plain(text: str) -> str:
    """Source text on one line, short, without what could be a secret."""
    text = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    if _SECRET.search(text):
        text = " ".join(re.findall(r"\$\{?[A-Za-z0-9_]+\}?", text)) or "..."
    text = re.sub(r"(?<=[=~])(\s*)([\"']?)(?![\"'$])(?![A-Za-z_-]{0,12}[\"']?(?:\s|\Z))[^\s\"']+", r"\1\2...", text)
    return text if len(text) <= 80 else text[:77] + "..."


def _named(node: Command) -> str:
    """A command by its name, a test or an exit as it stands, any other by its kind."""
    while isinstance(node, (Pipeline, AndOr, Block)):
        first = next(iter(inside(node)), None)
        if first is None:
            break
        node = first
    if isinstance(node, Condition):
        return _plain(node.raw)
    if not isinstance(node, Simple) or not node.words:
        return _KINDS.get(type(node), type(node).__name__.lower())
    name = node.words[0].raw
    return _plain(node.raw if name in _TESTS or name in ("exit", "return") else name)


def walk(start: Callable[[Oracle], Shell], program: Callable[[Shell], None]) -> Walk:
    """Run ``program`` on a fresh shell for every combination of what cannot be known.

    Raises :class:`Unresolvable` where one of the ways cannot be followed, or where there are too many.
    """
    result = Walk()
    names: Dict[str, None] = {}
    sourced: Dict[str, None] = {}
    followed: Dict[str, None] = {}
    texts: Dict[str, None] = {}
    prefix: Optional[List[int]] = []
    count = steps = work = 0
    marks: List[Mark] = []
    while prefix is not None:
        count += 1
        if count > LIMIT_PATHS:
            raise Unresolvable("the launch script can go more than %d ways" % LIMIT_PATHS)
        oracle = Oracle(prefix, work, marks)
        shell = start(oracle)
        session = shell.session
        try:
            program(shell)
        except (Leave, Break):
            pass
        except RecursionError:
            raise Unresolvable("the launch script is nested too deeply")
        except MemoryError:
            raise Unresolvable("following the launch script takes more memory than there is")
        steps, work = steps + oracle.steps, oracle.work
        if steps > LIMIT_TOTAL:
            raise Unresolvable("the launch script is too long to follow every way")
        if session.found:
            result.paths.append(session.found)
        elif result.end is None:
            result.end = _end_of(shell, oracle)
        for kept, seen in (
            (names, session.names),
            (sourced, session.sourced),
            (followed, session.followed),
            (texts, session.texts),
        ):
            kept.update(dict.fromkeys(seen))
        prefix = oracle.following()
    result.names, result.sourced, result.followed = list(names), list(sourced), list(followed)
    result.texts = list(texts)
    result.ways = count
    return result
