# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who starts programs beside systemd and plain init scripts: supervisord, runit, OpenRC, cron, monit, users' units, ….

One class for each, all with one interface: :meth:`Starter.starts` gives what each of its files would start next.
Containers are recognised (quadlets, compose files), and not followed: image and environment decide. Private to this
collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import posixpath
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..host._file_systems import Silent, may_hang
from ..host._files import HostFiles
from ..java._war import OF_INTEREST
from ..shell._login import account, accounts, pam_environment
from ..text._value import Run, Text, Unresolvable, Value, line_of, text_of
from ._systemd import Unit, Variable, build, parse_unit, split_words, substitute

LIMIT_STARTS = 500  # of one kind
LIMIT_IMAGES = 1000  # files of containers that are looked at
#: Images and programs of build agents, which have the name of the product and are none.
AGENT = re.compile(
    r"(?<![\w./-])[\w./-]*(?:inbound-agent|ssh-agent|jnlp-\w+|-slave|\bagent\b)[\w.:-]*"
    r"|\bJENKINS_(?:URL|AGENT\w*|SECRET|TUNNEL|NAME|WEB_SOCKET|INSTANCE_IDENTITY)\b|https?://\S+"
)


class Start(NamedTuple):
    """What one of these would start next."""

    kind: str  # of the starter, as people call it
    name: str  # what the starter calls it; empty where it has no name
    path: str  # the file that says so
    line: int
    command: Tuple[Value, ...]  # program and arguments; empty where they are not read
    environment: Dict[str, Variable]
    user: str
    directory: str  # empty where it is not known
    advice: str  # how the flag gets to it, for whoever must do so by hand
    reason: Optional[str] = None  # why it is not followed
    by_anybody: bool = False  # somebody who may only log in can have written it
    editable: bool = False  # its command line may be edited where it stands
    unit: Optional[Unit] = None  # a user's

    @property
    def words(self) -> str:
        """Who starts it, for people."""
        return "%s%s in %s" % (self.kind, " " + self.name if self.name else "", self.path)

    @property
    def key(self) -> Tuple[str, str]:
        """What stays the same when its file is edited."""
        return self.path, self.name


class Starter:
    """One kind of them."""

    kind = ""

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """All that it would start. Raises Silent, OSError for a folder that holds too much."""
        raise NotImplementedError


def _text(files: HostFiles, path: str) -> str:
    try:
        return files.read(path)
    except Silent:
        raise
    except OSError:
        return ""


def _is_ordinary(files: HostFiles, user: str) -> bool:
    """Whether a user is one of those who log in, who may tell cron and their own systemd to start what they like."""
    return any(fields[0] == user and _logs_in(fields) for fields in _accounts(files))


def _logs_in(fields: Sequence[str]) -> bool:
    return fields[2].isdigit() and int(fields[2]) >= 1000


def _accounts(files: HostFiles) -> List[List[str]]:
    return accounts(files) if _text(files, "/etc/passwd") else []  # what does not answer is said


def _home(files: HostFiles, user: str) -> str:
    return account(files, user or "root").get("HOME", "" if user not in ("", "root") else "/root")


def _shell(value: Value, shell: str = "/bin/sh") -> Tuple[Value, ...]:
    return [Run(shell)], [Run("-c")], value


def _variables(pairs: Dict[str, str]) -> Dict[str, Variable]:
    return {name: Variable([Run(text)], "", 0, "") for name, text in pairs.items()}


# -- supervisord ------------------------------------------------------------------------------------


class _Item(NamedTuple):
    """One ``key = value`` of an INI file, its continued lines joined."""

    section: str
    key: str
    value: Value
    position: int


def _ini(content: str, path: str) -> List[_Item]:
    """As Python's configparser reads it for supervisord: ``;`` behind a blank begins a comment."""
    found: List[_Item] = []
    section = ""
    at = 0
    for line in content.splitlines(True):
        start, at = at, at + len(line)
        body = re.sub(r"(?:^|\s);.*", "", line.rstrip("\r\n"))
        if not body.strip() or line.lstrip()[:1] in ("#", ";"):
            continue
        lead = len(body) - len(body.lstrip())
        header = re.match(r"\[([^\]]+)\]", body)
        if header:
            section = header.group(1)
        elif lead and found and found[-1].section == section:
            last = found[-1]
            found[-1] = last._replace(value=last.value + [Run("\n"), Run(body.strip(), path, start + lead)])
        else:
            match = re.match(r"([^=:]*?)\s*[=:]\s*", body)
            if match:
                found.append(
                    _Item(
                        section,
                        match.group(1).strip().lower(),
                        [Run(body[match.end() :].rstrip(), path, start + match.end())],
                        start,
                    )
                )
    return found


class Supervisord(Starter):
    """``[program:x]`` (supervisord.org/configuration.html)."""

    kind = "supervisord"
    _MAIN = (
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
        "/etc/supervisor.conf",
        "/usr/local/etc/supervisord.conf",
        "/opt/supervisor/supervisord.conf",
    )
    _PARTS = ("/etc/supervisor/conf.d/*", "/etc/supervisord.d/*", "/etc/supervisor.d/*")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each program of the main file and what it includes; of the usual folders also where nothing includes them."""
        paths: List[str] = []
        common: List[_Item] = []
        for main in self._MAIN:
            items = _ini(_text(files, main), main)
            paths.extend([main] if items else [])
            common.extend(item for item in items if item.section == "supervisord")
            for item in items:
                if item.section == "include" and item.key == "files":
                    for pattern in text_of(item.value).replace("%(here)s", main.rpartition("/")[0]).split():
                        paths.extend(files.glob(posixpath.join(main.rpartition("/")[0], pattern)))
        for pattern in self._PARTS:
            paths.extend(files.glob(pattern))
        for path in dict.fromkeys(paths):
            yield from self._programs(files, path, common)

    def _programs(self, files: HostFiles, path: str, common: Sequence[_Item]) -> Iterator[Start]:
        content = _text(files, path)
        items = _ini(content, path)
        for section in dict.fromkeys(item.section for item in items):
            if not section.startswith(("program:", "eventlistener:", "fcgi-program:")):
                continue
            mine = {item.key: item for item in items if item.section == section}
            if "command" not in mine:
                continue
            name = section.partition(":")[2]

            def value(key: str, name: str = name, mine: Dict[str, _Item] = mine) -> Value:
                found = mine.get(key) or next((item for item in common if item.key == key), None)
                return self._put_in(found.value, name, path) if found is not None else []

            environment: Dict[str, Variable] = {}
            own = [mine["environment"]] if "environment" in mine else []
            for item in [one for one in common if one.key == "environment"] + own:
                environment.update(self._environment(self._put_in(item.value, name, path), path))
            user = text_of(value("user")) or "root"
            yield Start(
                self.kind,
                "program " + name,
                path,
                line_of(content, mine["command"].position),
                tuple(split_words(value("command"), True, False)),
                environment,
                user,
                text_of(value("directory")),
                "in [%s] of %s write the flag before -jar, or into environment= as JAVA_TOOL_OPTIONS, then "
                "supervisorctl update" % (section, path),
                editable=True,
            )

    @staticmethod
    def _put_in(value: Value, name: str, path: str) -> Value:
        known = {"program_name": name, "group_name": name, "here": path.rpartition("/")[0]}
        result: Value = []
        for run in value:
            at = 0
            for match in re.finditer(r"%(?:%|\(([A-Za-z_]\w*)\)[0-9]*[sd])", run.text):
                result.append(run.part(at, match.start()))
                at = match.end()
                key = match.group(1)
                text = "%" if key is None else known.get(key)
                result.append(
                    Run("", run.path, run.position + match.start(), False, "%%(%s)s of supervisord" % key, True)
                    if text is None
                    else Run(text, run.path, run.position + match.start())
                )
            result.append(run.part(at, len(run.text)))
        return [run for run in result if run.text or run.unknown]

    @staticmethod
    def _environment(value: Value, path: str) -> Dict[str, Variable]:
        """``A="x",B='y'``: commas and blanks separate, quotes hold together."""
        found = {}
        text = Text.from_value(value)
        pattern = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,\s]*)")
        for match in pattern.finditer(text.characters):
            start, end = match.span(2)
            quoted = match.group(2)[:1] in ("'", '"')
            position = text.origin(start)[1]
            found[match.group(1)] = Variable(
                text.runs(start + quoted, end - quoted, quoted), path, position, "Environment"
            )
        return found


# -- runit and its relatives ------------------------------------------------------------------------


class Runit(Starter):
    """``run`` scripts of runit, daemontools and s6: started in the folder of the service."""

    kind = "runit"
    _FOLDERS = (
        "/etc/service/*",
        "/service/*",
        "/var/service/*",
        "/etc/runit/runsvdir/*/*",
        "/run/service/*",
        "/etc/sv/*",
        "/etc/s6/*",
        "/etc/s6/sv/*",
        "/etc/s6-rc/source/*",
    )

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each service, once, whatever links lead to it."""
        seen: Set[str] = set()
        for pattern in self._FOLDERS:
            for folder in files.glob(pattern):
                path = folder + "/run"
                if not files.exists(path):
                    continue
                place = files.canonical(folder)
                if place in seen:
                    continue
                seen.add(place)
                name = folder.rpartition("/")[2]
                yield Start(
                    self.kind,
                    "service " + name,
                    path,
                    1,
                    ([Run(path)],),
                    {},
                    "root",
                    place,
                    "in %s put the flag before -jar, or into the file that sets its options, then sv restart %s"
                    % (path, name),
                )


# -- OpenRC -----------------------------------------------------------------------------------------


class OpenRC(Starter):
    """Scripts whose interpreter is ``openrc-run``: settings, or a ``start`` function of their own."""

    kind = "OpenRC"
    #: What openrc-run does with them (OpenRC's sh/openrc-run.sh.in and start-stop-daemon.sh).
    _PROGRAM = """RC_SVCNAME=%(name)s
SVCNAME=%(name)s
ebegin() { :; }
eend() { :; }
einfo() { :; }
checkpath() { :; }
start() {
    eval start-stop-daemon --start --exec "$command" ${command_user:+--user "$command_user"} $start_stop_daemon_args \\
        -- $command_args $command_args_background $command_args_foreground
}
[ ! -e /etc/conf.d/%(name)s ] || . /etc/conf.d/%(name)s
. /etc/init.d/%(name)s
if [ -n "$directory" ]; then cd "$directory"; fi
start
"""

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each of the scripts, enabled or not."""
        for name in files.list("/etc/init.d"):
            path = "/etc/init.d/" + name
            head = files.head(path, 80)
            if re.match(rb"#![ \t]*\S*/(?:openrc-run|runscript)\b", head) and re.match(r"[\w.-]+\Z", name):
                program = self._PROGRAM % {"name": name}
                yield Start(
                    self.kind,
                    "service " + name,
                    path,
                    1,
                    _shell([Run(program)]),
                    {},
                    "root",
                    "/",
                    "in /etc/conf.d/%s add the flag to the variable of the JVM's options, then rc-service %s "
                    "restart" % (name, name),
                )


# -- cron, rc.local, inittab ------------------------------------------------------------------------


class Cron(Starter):
    """Crontabs: of the machine (with a column for the user) and of users."""

    kind = "cron"
    _OF_THE_MACHINE = ("/etc/crontab", "/etc/cron.d/*", "/etc/anacrontab")
    _OF_USERS = ("/var/spool/cron/crontabs/*", "/var/spool/cron/*", "/var/spool/cron/tabs/*", "/etc/crontabs/*")
    _LINE = re.compile(r"[ \t]*(?:(@\w+)|(?:[\d*/,A-Za-z?~-]+[ \t]+){5})[ \t]*")
    _ANACRON = re.compile(r"[ \t]*(@?\w+)[ \t]+\d+[ \t]+\S+[ \t]+")
    _ASSIGNMENT = re.compile(r"[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*(.*?)[ \t]*\Z")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each line."""
        for pattern in self._OF_THE_MACHINE:
            for path in files.glob(pattern):
                yield from self._lines(files, path, None)
        theirs = [path for pattern in self._OF_USERS for path in files.glob(pattern)]
        # Those of people come last: however many lines they have, they hide nobody else's behind the limit.
        people = {fields[0] for fields in _accounts(files) if _logs_in(fields)} if theirs else set()
        for path in sorted(theirs, key=lambda path: path.rpartition("/")[2] in people):
            yield from self._lines(files, path, path.rpartition("/")[2])

    def _lines(self, files: HostFiles, path: str, user: Optional[str]) -> Iterator[Start]:
        environment: Dict[str, Variable] = {}
        at = 0
        count: Dict[str, int] = {}
        anacron = path == "/etc/anacrontab"
        for number, line in enumerate(_text(files, path).split("\n"), 1):
            start, at = at, at + len(line) + 1
            body = line.rstrip("\r")
            if not body.strip() or body.lstrip().startswith("#"):
                continue
            when = (self._ANACRON if anacron else self._LINE).match(body)
            assigned = None if when else self._ASSIGNMENT.match(body)
            if assigned:
                text, begin = assigned.group(2), start + assigned.start(2)
                if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
                    text, begin = text[1:-1], begin + 1
                environment[assigned.group(1)] = Variable([Run(text, path, begin)], path, start, "Environment")
            if not when:
                continue
            begin, who = when.end(), user
            if who is None and not anacron:
                column = re.compile(r"(\S+)[ \t]+").match(body, begin)
                if column is None:
                    continue
                begin, who = column.end(), column.group(1)
            who = who or "root"
            command: Value = []
            for match in re.finditer(r"\\%|%|[^\\%]+|\\", body[begin:]):
                if match.group(0) == "%":
                    break  # what follows is its input
                command.append(Run(match.group(0).replace("\\%", "%"), path, start + begin + match.start()))
            name = (when.group(1) or "line") if not anacron else "anacron"
            count[name] = count.get(name, 0) + 1
            own = {key: variable for key, variable in _variables(account(files, who)).items() if key != "SHELL"}
            own.update({key: Variable(value, "", 0, "") for key, value in pam_environment(files, "cron").items()})
            own.update(environment)
            shell = text_of(environment["SHELL"].value) if "SHELL" in environment else "/bin/sh"
            yield Start(
                self.kind,
                name if count[name] == 1 else "%s (%d)" % (name, count[name]),
                path,
                number,
                _shell(command, shell),
                own,
                who,
                text_of(own["HOME"].value) if "HOME" in own else "",
                "in line %d of %s put the flag before -jar" % (number, path),
                by_anybody=user is not None and _is_ordinary(files, user),
                editable=user is None,
            )


class RcLocal(Starter):
    """``/etc/rc.local`` where no unit runs it, and commands of ``/etc/inittab``."""

    kind = "rc.local"

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Both."""
        for path in ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/local.d/*.start"):
            for found in files.glob(path):
                yield Start(
                    self.kind, "", found, 1, ([Run(found)],), {}, "root", "/", "in %s put the flag before -jar" % found
                )
        at = 0
        for number, line in enumerate(_text(files, "/etc/inittab").split("\n"), 1):
            start, at = at, at + len(line) + 1
            match = re.match(r"([^#:\s][^:]*):[^:]*:(?:respawn|wait|once|boot|bootwait|ondemand):(.+)", line)
            if match:
                yield Start(
                    "inittab",
                    "entry " + match.group(1),
                    "/etc/inittab",
                    number,
                    _shell([Run(match.group(2), "/etc/inittab", start + match.start(2))]),
                    {},
                    "root",
                    "/",
                    "in line %d of /etc/inittab put the flag before -jar" % number,
                )
        for path in files.glob("/etc/init/*.conf"):  # Upstart
            text = _text(files, path)
            match = re.search(
                r"^[ \t]*exec[ \t]+(.+)$|^[ \t]*script[ \t]*\n(.*?)^[ \t]*end script",
                text,
                re.MULTILINE | re.DOTALL if "end script" in text else re.MULTILINE,
            )
            if match:
                number = 1 if match.group(1) else 2
                yield Start(
                    "Upstart",
                    "job " + path.rpartition("/")[2][: -len(".conf")],
                    path,
                    line_of(text, match.start(number)),
                    _shell([Run(match.group(number), path, match.start(number))]),
                    {},
                    "root",
                    "/",
                    "in %s put the flag before -jar" % path,
                )


# -- monit ------------------------------------------------------------------------------------------


class Monit(Starter):
    """``check process … start program = "…"`` (mmonit.com/monit/documentation)."""

    kind = "monit"
    _MAIN = ("/etc/monitrc", "/etc/monit/monitrc", "/etc/monit.conf", "/usr/local/etc/monitrc")
    _PARTS = ("/etc/monit/conf.d/*", "/etc/monit/conf-enabled/*", "/etc/monit.d/*")
    _COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
    _CHECK = re.compile(r"^[ \t]*check[ \t]+\w+[ \t]+(\"[^\"]*\"|'[^']*'|\S+)", re.MULTILINE | re.IGNORECASE)
    _START = re.compile(
        r"\b(?:re)?start(?:[ \t]+program)?\s*=?\s*(\"[^\"]*\"|'[^']*')"
        r"(?:\s+as\s+uid\s+(\"[^\"]*\"|[^\s\"]+))?",
        re.IGNORECASE,
    )

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each program that it starts."""
        paths: List[str] = []
        for main in self._MAIN:
            text = _text(files, main)
            paths.extend([main] if text else [])
            for match in re.finditer(r"^[ \t]*include[ \t]+(\S+)", text, re.MULTILINE | re.IGNORECASE):
                paths.extend(files.glob(match.group(1)) if match.group(1).startswith("/") else [])
        for pattern in self._PARTS:
            paths.extend(files.glob(pattern))
        for path in dict.fromkeys(paths):
            text = self._COMMENT.sub(lambda match: " " * len(match.group(0)), _text(files, path))
            checks = list(self._CHECK.finditer(text))
            for check, following in zip(checks, checks[1:] + [None]):
                end = following.start() if following is not None else len(text)
                for match in self._START.finditer(text, check.end(), end):
                    command = [Run(match.group(1)[1:-1], path, match.start(1) + 1)]
                    name = check.group(1).strip("\"'")
                    yield Start(
                        self.kind,
                        "service " + name,
                        path,
                        line_of(text, match.start()),
                        tuple(split_words(command, True, False)),
                        {},
                        (match.group(2) or "root").strip('"'),
                        "/",
                        "in the start program of %s in %s put the flag before -jar, then monit reload" % (name, path),
                    )
                    break


# -- users' units -----------------------------------------------------------------------------------


class UserUnits(Starter):
    """Units of users' own service managers, which run at boot for those who linger."""

    kind = "user unit"
    _FOR_ALL = ("/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each unit of users who linger: others' do not start with the machine, and their homes are not looked into."""
        lingering = files.list("/var/lib/systemd/linger")
        # Those of people come last: whatever they have there, it hides nobody else's.
        for fields in sorted(_accounts(files), key=_logs_in) if lingering else []:
            user, home = fields[0], fields[5].rstrip("/")
            if user not in lingering or not home.startswith("/"):
                continue
            seen: Set[str] = set()  # the first of a name counts
            folders = (home + "/.config/systemd/user",) + self._FOR_ALL
            for folder in folders[:2] + (home + "/.local/share/systemd/user",) + folders[2:]:
                for name in files.list(folder):
                    if name.endswith(".service") and name not in seen:
                        seen.add(name)
                        instances = "%s/*.wants/%s" % (folders[0], name.replace("@.", "@*."))
                        if name.endswith("@.service") and not files.glob(instances):
                            continue  # a template that nothing is made of
                        start = self._of(files, folder, name, user, home)
                        if start is not None:
                            yield start

    def _of(self, files: HostFiles, folder: str, name: str, user: str, home: str) -> Optional[Start]:
        path = "%s/%s" % (folder, name)
        drop_ins = [
            found
            for place in dict.fromkeys([folder, home + "/.config/systemd/user", "/etc/systemd/user"])
            for found in files.glob("%s/%s.d/*.conf" % (place, name))
        ]
        settings = []
        advice = (
            "as %s: systemctl --user edit %s, with the flag in the variable of the JVM's options, then systemctl "
            "--user restart %s" % (user, name, name)
        )
        known = Start(
            self.kind,
            "%s of %s" % (name, user),
            path,
            1,
            (),
            {},
            user,
            home,
            advice,
            by_anybody=folder not in self._FOR_ALL and _is_ordinary(files, user),
        )
        if files.is_masked(path):
            return None
        try:
            for place in [path] + sorted(drop_ins, key=lambda one: one.rpartition("/")[2]):
                text = files.read(place)
                # In a user's manager they stand for the user.
                text = text.replace("%h", home).replace("%u", user)
                settings.extend(parse_unit(text, place))
            unit = build(name, path, tuple(drop_ins), settings, files)
        except Silent:
            raise
        except (OSError, Unresolvable) as error:
            return known._replace(reason="the unit cannot be read: %s" % getattr(error, "strerror", error))
        directory = unit.folder if unit.folder not in (None, "/") else home
        command = unit.exec_start[-1] if unit.exec_start else ()
        return known._replace(
            command=tuple(substitute(command, unit.environment)),
            environment=unit.environment,
            directory=directory,
            unit=unit,
            reason=unit.doubt[0] if unit.doubt else None,
        )


# -- containers -------------------------------------------------------------------------------------


COMPOSE = re.compile(r"(?:docker-|podman-)?compose[\w.-]*\.ya?ml\Z|stack[\w.-]*\.ya?ml\Z")
_IMAGE = re.compile(r"^[ \t]*-?[ \t]*(?:image:|Image[ \t]*=)[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_BUILT = re.compile(r"^[ \t]*-?[ \t]*build:", re.MULTILINE)
_COMMENTED = re.compile(r"(?m)^[ \t]*#.*$")


def of_product(text: str, more: str = "") -> Optional["re.Match[str]"]:
    """Where a quadlet or a compose file names an image of the product; ``more`` is what lies beside it.

    An image whose name is a variable, or that is built there, is one where anything tells of the product.
    """
    images = list(_IMAGE.finditer(text))
    for match in images:
        if OF_INTEREST.search(AGENT.sub("", match.group(1))):
            return match
    unknown = next((match for match in images if "$" in match.group(1)), None) or _BUILT.search(text)
    told = OF_INTEREST.search(AGENT.sub("", _COMMENTED.sub("", text + "\n" + more)))
    return unknown if unknown is not None and told else None


class Containers(Starter):
    """Quadlets, compose files and what Docker starts again: recognised by their image, and not followed."""

    kind = "container"
    _QUADLETS = ("/etc/containers/systemd", "/usr/share/containers/systemd")
    _PROJECTS = (
        "/opt",
        "/srv",
        "/root",
        "/etc/docker",
        "/etc/docker/compose",
        "/etc/compose",
        "/var/lib",
        "/var/lib/compose",
        "/usr/local",
        "/data",
        "/app",
        "/apps",
        "/mnt",
        "/docker",
        "/containers",
        "/stacks",
    )

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Those whose image has the name of the product."""
        looked = 0
        for path in dict.fromkeys(self._paths(files)):
            looked += 1
            if looked > LIMIT_IMAGES:
                return
            text = _text(files, path)
            folder = path.rpartition("/")[0]
            match = of_product(text, _text(files, folder + "/.env") + "\n" + _text(files, folder + "/Dockerfile"))
            if match is not None:
                kind = "quadlet" if path.endswith((".container", ".kube", ".pod")) else "compose file"
                yield Start(
                    kind,
                    path.rpartition("/")[2].rpartition(".")[0] if kind == "quadlet" else "",
                    path,
                    line_of(text, match.start()),
                    (),
                    {},
                    "root",
                    "",
                    "set JAVA_OPTS (for CloudBees' images also JENKINS_JAVA_OPTIONS) with the flag in its environment",
                    "it starts a container, whose image and environment decide",
                )
        for path in files.glob("/var/lib/docker/containers/*/config.v2.json"):
            image = re.search(r'"Config":\{.*?"Image":"([^"]+)"', _text(files, path), re.DOTALL)
            again = re.search(
                r'"RestartPolicy":\{"Name":"(always|unless-stopped|on-failure)"',
                _text(files, path.replace("config.v2.json", "hostconfig.json")),
            )
            if image and again and OF_INTEREST.search(AGENT.sub("", image.group(1))):
                yield Start(
                    "docker",
                    "container of the image " + image.group(1),
                    path,
                    1,
                    (),
                    {},
                    "root",
                    "",
                    "create the container anew with the flag in JAVA_OPTS",
                    "it starts a container, whose image and environment decide",
                )

    def _paths(self, files: HostFiles) -> Iterator[str]:
        places = list(self._QUADLETS)
        places.extend(
            fields[5].rstrip("/") + "/.config/containers/systemd"
            for fields in _accounts(files)
            if fields[0] in files.list("/var/lib/systemd/linger")
        )
        for place in places:
            for name in files.list(place):
                if name.endswith((".container", ".kube", ".pod")):
                    yield "%s/%s" % (place, name)
        for top in self._PROJECTS:
            for name in files.list(top):
                if COMPOSE.match(name):
                    yield "%s/%s" % (top, name)
                # What is mounted from elsewhere in /var/lib is a home. A compose file in it starts nothing at boot, and
                # a server that does not answer would cost more than the settings of that home.
                elif "." not in name and not (
                    top == "/var/lib" and may_hang("%s%s/%s" % (files.root.rstrip("/"), top, name))
                ):
                    for inner in files.list("%s/%s" % (top, name)):
                        if COMPOSE.match(inner):
                            yield "%s/%s/%s" % (top, name, inner)
                        elif inner in ("docker", "compose", "ci", "cloudbees", "jenkins"):
                            for last in files.list("%s/%s/%s" % (top, name, inner)):
                                if COMPOSE.match(last):
                                    yield "%s/%s/%s/%s" % (top, name, inner, last)


STARTERS = (Supervisord(), Runit(), OpenRC(), Cron(), RcLocal(), Monit(), UserUnits(), Containers())


def all_starts(files: HostFiles, warnings: List[str]) -> Iterator[Start]:
    """What all of them would start, at most :data:`LIMIT_STARTS` of each kind; of what cannot be read a warning."""
    for starter in STARTERS:
        count = 0
        try:
            for start in starter.starts(files):
                count += 1
                if count > LIMIT_STARTS:
                    raise OSError(errno.E2BIG, "it would start more than %d programs" % LIMIT_STARTS)
                yield start
        except OSError as error:
            warnings.append("what %s would start is not all looked at: %s" % (starter.kind, error.strerror))
