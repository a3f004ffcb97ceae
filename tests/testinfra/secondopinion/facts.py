"""Turns what the gatherer sent into findings. Only findings leave this file: file names, line numbers, names
of variables and the flag itself, never the text of a file or the value of another option."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import classfiles, homes, jvmtext, shelltext, tomcat, unittext
from .jvmtext import ABSENT, FALSE, TRUE, UNKNOWN, UNKNOWN_OPEN

ENDPOINT, PORT = "api.segment.io", 443
PRODUCT_UNIT = re.compile(r"^(cloudbees-(core-)?(oc|cm)|jenkins|jenkins-oc)\.service$")
SCRIPT = Path(__file__).with_name("gather.sh")


class Unreachable(Exception):
    """The host does not answer; the message says why."""


class Denied(Exception):
    """The host answers but does not let itself be read."""


class Broken(Exception):
    """The answer cannot be understood. Carries no text of the host."""


@dataclass
class Stat:
    path: str
    uid: str
    gid: str
    mode: int | None
    user: str
    group: str


@dataclass
class File:
    path: str
    state: str = "missing"  # missing | unreadable | binary | archive | text
    why: str = ""
    text: str = field(default="", repr=False)
    stat: Stat | None = None
    folders: list = field(default_factory=list)


@dataclass
class Process:
    pid: str
    service: str = ""
    flag: str = UNKNOWN
    layer: str = ""
    why: str = ""
    product: bool = False
    base: str = ""  # catalina.base, where it is a Tomcat
    war: str = ""  # as it was given
    home: str = ""  # its JENKINS_HOME, as this host calls it
    variable: str = ""  # HZ_PHONE_HOME_ENABLED
    environment: dict | None = None  # of it, what was asked for; None where it could not be read
    casc: bool = False  # an option of it says where configuration as code lies
    brought: bool = False  # its war brings configuration as code
    apart: list = field(default_factory=list)  # namespaces that it has for itself
    homeless: bool = False  # nothing that starts it was found


@dataclass
class Installation:
    name: str
    file: str = ""  # the file where the deciding variable is set, as far as it is known
    flag: str = UNKNOWN
    why: str = ""
    variables: list = field(default_factory=list)
    files: list = field(default_factory=list)
    dead: list = field(default_factory=list)  # (file, line, variable): mentions that change nothing
    reload_owed: str = ""
    state: str = ""
    account: str = "root"  # who runs the launcher
    group: str = "root"
    service: bool = False
    wars: list = field(default_factory=list)
    journal: list = field(default_factory=list, repr=False)
    given: str = field(default="", repr=False)  # what its unit says of environment and command


@dataclass
class Network:
    resolve_rc: int = 127
    addresses: list = field(default_factory=list)
    tool: str = "none"
    outcome: str = (
        "untried"  # connected|refused|timeout|unreachable|blocked|no_such_name|resolver_failed|no_tool|failed
    )


@dataclass
class Facts:
    installations: list = field(default_factory=list)
    processes: list = field(default_factory=list)
    files: dict = field(default_factory=dict)  # path -> File without its text
    network: Network = field(default_factory=Network)
    homes: dict = field(default_factory=dict)  # path -> homes.Home
    switches: dict = field(default_factory=dict)  # name -> Facts, whose flags are of that property


def script(mode: str, probe: bool, wanted: list[str], switches: Sequence = ()) -> bytes:
    named = [one.name for one in switches if not one.environment]
    properties = "|".join(re.escape(name) for name in (jvmtext.PROPERTY, *named))
    variables = "|".join(one.name for one in switches if one.environment) or "HZ_PHONE_HOME_ENABLED"

    def quote(text: str) -> str:
        return "'" + text.replace("'", "'\\''") + "'"

    head = (
        f"PROPERTY={quote(properties)}\nVARIABLES={quote(variables)}\nENDPOINT={ENDPOINT}\nPORT={PORT}\nROUND={mode}\n"
        f"PROBE={'yes' if probe else 'no'}\nWANTED={quote(chr(10).join(wanted))}\n"
    )
    return (head + SCRIPT.read_text(encoding="utf-8")).encode()


def records(answer: bytes) -> list[tuple[str, str, list[str]]]:
    """(key, value, body) per record. Text is taken byte for byte (latin-1): only ASCII matters here."""
    out: list[tuple[str, str, list[str]]] = []
    for line in answer.decode("latin-1").split("\n"):
        if line.startswith("@"):
            key, _unused, value = line[1:].partition(" ")
            out.append((key, value, []))
        elif line.startswith("|") and out:
            out[-1][2].append(line[1:])
    keys = [key for key, _unused, _unused in out]
    if "begin" not in keys:
        raise Broken("the host sent no answer to the gatherer")
    del out[: keys.index("begin")]  # a login banner
    if out[-1][0] != "end":
        raise Broken("the answer of the gatherer breaks off")
    uid = next((value for key, value, _unused in out if key == "uid"), "")
    if uid != "0":
        raise Denied(
            "launch files and processes can be read by root only, and the connection is not root's:"
            " set ansible_become: true, or ansible_user to root"
        )
    return out


def stat_of(path: str, value: str) -> Stat:
    uid, gid, mode, user, group = (value.split(" ") + ["-"] * 5)[:5]
    return Stat(path, uid, gid, int(mode, 8) if mode.isdigit() else None, user, group)


def collect_files(found: list[tuple[str, str, list[str]]], files: dict[str, File]) -> None:
    current: File | None = None
    for key, value, body in found:
        if key == "file":
            current = files[value] = File(value)
        elif current is None:
            continue
        elif key == "stat":
            current.stat = stat_of(current.path, value)
            current.state = "text"
        elif key == "folder":
            current.folders.append(stat_of(str(Path(current.path).parent), value))
        elif key in ("unreadable", "binary", "archive"):
            current.state, current.why = key, value
        elif key == "text":
            current.text = "\n".join(body) + "\n"
        elif key not in ("real", "missing"):
            current = None


def gather(
    ask: Callable[[bytes], bytes],
    probe: bool,
    launch_scripts: list[str],
    switches: Sequence = (),
    with_homes: bool = False,
    with_events: bool = False,
) -> Facts:
    """Asks the host, as a rule once, again only for files whose names came up in the first answer."""
    found = records(ask(script("look", probe, launch_scripts, switches)))
    files: dict[str, File] = {}
    collect_files(found, files)
    for _unused in range(12):  # a file names a file names a file
        wanted: set[str] = set()
        facts = interpret(found, files, launch_scripts, wanted)
        for switch in (one for one in switches if not one.environment):
            with jvmtext.looking_for(switch.name, switch.off):
                facts.switches[switch.name] = interpret(found, files, launch_scripts, wanted)
        if with_homes:
            facts.homes = homes_of(facts, files, wanted)
        wanted -= set(files)
        if not wanted:
            if with_events:
                add_events(facts, ask)
            return done(facts, files)
        collect_files(records(ask(script("files", False, sorted(wanted)))), files)
        for path in wanted:
            files.setdefault(path, File(path))
    raise Broken("its launch files lead from one to the next without an end")


def done(facts: Facts, files: dict[str, File]) -> Facts:
    """Without the texts, which hold secrets."""
    secrets = known_values(files)
    for one in (facts, *facts.switches.values()):
        one.files = {path: File(it.path, it.state, it.why, "", it.stat, it.folders) for path, it in files.items()}
        for installation in one.installations:
            installation.journal = [redact(line, secrets) for line in installation.journal]
            installation.given = ""
    return facts


def homes_of(facts: Facts, files: dict[str, File], wanted: set[str]) -> dict[str, homes.Home]:
    """Each JENKINS_HOME of an installation, or of what runs for one, with what its starts say of configuration as code."""
    starts: dict[str, str] = {}
    for one in facts.installations:
        text = "\n".join([one.given, *(files[path].text for path in one.files if path in files)])
        lives = [it for it in facts.processes if it.service == one.name] if one.service else facts.processes
        places = {it.home for it in lives if it.home and not it.homeless}
        if not places:
            said = re.findall(r"^(?!\s*#).*\bJENKINS_HOME=[\"']?(/[^\s\"'$;\x01]+)", text, re.M)
            stem = one.name.removesuffix(".service")
            places = {said[-1] if said else f"/var/lib/{stem}"}
        for place in places:
            starts[place] = starts.get(place, "") + "\n" + text
    out = {}
    for place, text in starts.items():
        lives = [it for it in facts.processes if it.home == place]
        # A running JVM that was told of a place which no file here names, or was not told of one that a file names (where
        # nobody reads it, or after its start): what the next start does, nobody knows.
        named = re.search(r"^(?!\s*[#;]).*(-D(core\.casc|casc\.jenkins)\.config|CASC_JENKINS_CONFIG)", text, re.M)
        hidden = bool(lives) and any(it.casc for it in lives) != bool(named)
        text += "\n-Dcore.casc.config.bundle=$unseen" if hidden else ""
        out[place] = homes.read(place.rstrip("/"), text, any(it.brought for it in lives), files, wanted)
    return out


def add_events(facts: Facts, ask: Callable[[bytes], bytes]) -> None:
    for path, home in facts.homes.items():
        for key, value, body in records(ask(script("files", False, [f"archives:{path.rstrip('/')}"]))):
            if key != "archived":
                continue
            state, _unused, name = value.partition(" ")
            try:
                data = base64.b64decode("".join(body), validate=True) if state == "yes" else b""
            except binascii.Error:
                data = b""
            found, whole = classfiles.in_archive(data) if data else (set(), False)
            home.events |= found
            home.unread += [] if whole else [name]


def interpret(found: list, files: dict[str, File], launch_scripts: list[str], wanted: set[str]) -> Facts:  # noqa: C901 -- one branch a kind of fact
    facts = Facts()
    manager: dict[str, str] = {}
    units: dict[str, dict] = {}
    init_scripts: list[str] = []
    starters: list[str] = []
    current: dict = {}
    process: dict = {}
    processes: list[dict] = []
    for key, value, body in found:
        if key == "unit":
            current = units[value] = {"properties": {}, "dropins": [], "journal": []}
        elif key == "properties":
            current["properties"] = unittext.properties(body)
        elif key == "dropin":
            current["dropins"].append(value)
        elif key == "journal":
            current["journal"] = body
        elif key == "process":
            process = {"pid": value}
            processes.append(process)
        elif key in ("cgroup", "cmdline", "environ"):
            process[key] = body
        elif key == "environ_unreadable":
            process["blind"] = True
        elif key == "maybe":
            current["maybe"] = True
        elif key == "starter":
            starters.append(value)
        elif key == "namespace":
            process.setdefault("apart", []).append(value)
        elif key == "product":
            process["product"] = True
        elif key in ("account", "brought"):
            process[key] = value or True
        elif key == "initscript":
            init_scripts.append(value)
        elif key == "manager":
            manager = dict(line.partition("=")[::2] for line in body)
        elif key == "resolve":
            facts.network.resolve_rc = int(value)
            facts.network.addresses = [line for line in body if line]
        elif key == "connect":
            facts.network.tool, rc = value.split(" ")
            facts.network.outcome = outcome(facts.network.tool, int(rc), "\n".join(body))

    facts.processes = [one_process(one) for one in processes]
    texts = Texts(files, wanted)
    for one in facts.processes:
        one.product = one.product or tomcat.serves_ours([one.base], texts.glance)
    for name, unit in units.items():
        lives = [one for one in facts.processes if one.service == name]
        installation = of_unit(name, unit, manager, texts, [one.base for one in lives if one.base])
        if PRODUCT_UNIT.match(name) or any(one.product for one in lives):
            for one in lives:
                one.product = True
        elif installation is None or installation.flag == UNKNOWN and "no command that starts" in installation.why:
            continue  # an agent, a helper: not one of the products
        elif unit.get("maybe") and not is_ours(installation.wars, unit, texts):
            if not is_named(name, unit) or not (is_unclear(installation) or installation.flag == UNKNOWN):
                continue  # another program in Java
            if installation.flag != UNKNOWN:
                installation.flag, installation.why = UNKNOWN, "which war it starts is known only to the shell"
        if installation is not None:
            facts.installations.append(installation)
    for path in init_scripts:
        installation = Installation(Path(path).name, account="root", state="no systemd here")
        by_script(installation, path, {}, texts)
        facts.installations.append(installation)
    for path in starters:
        if path == "/etc/rc.local" and any(one.name.startswith("rc-local.") for one in facts.installations):
            continue  # it is that unit's
        for one in by_starter(path, texts):
            if "container" in one.why or is_ours(one.wars, {}, texts):
                facts.installations.append(one)
    if any(not one.service for one in facts.installations):
        # What runs in the unit of one that starts others is theirs.
        facts.installations = [one for one in facts.installations if one.flag != UNKNOWN or not STARTS.match(one.name)]
    covered = {path for one in facts.installations for path in one.files}
    for path in launch_scripts:
        if path in covered:
            continue
        installation = Installation(path, state="a script without a service of its own")
        owner = files[path].stat if path in files else None
        if owner:
            installation.account, installation.group = owner.user, owner.group
        by_script(installation, path, {}, texts)
        facts.installations.append(installation)
    facts.processes = [one for one in facts.processes if one.product]
    names = {one.name for one in facts.installations if one.service}
    others = {posixpath.normpath(war) for found in facts.installations if not found.service for war in found.wars}
    for one in facts.processes:
        of_others = bool(others) and (not one.war.startswith("/") or posixpath.normpath(one.war) in others)
        one.homeless = one.service not in names and ("pid" in one.apart or "mnt" in one.apart or not of_others)
    for installation in facts.installations:
        if installation.flag != TRUE:
            installation.dead = dead_mentions(installation, files)
    return facts


class Texts:
    """The files at hand; one that was not fetched yet is noted as wanted and taken as absent for now."""

    def __init__(self, files: dict[str, File], wanted: set[str]) -> None:
        self.files, self.wanted = files, wanted

    def get(self, path: str) -> File:
        if path not in self.files:
            self.wanted.add(path)
            return File(path)
        return self.files[path]

    def load(self, path: str) -> str | None:
        one = self.get(path)
        if one.state == "unreadable":
            raise shelltext.Unreadable(f"{path} is {one.why}")
        return one.text if one.state == "text" else None

    def glance(self, path: str) -> str:
        """The text, empty where there is none to be had."""
        return self.get(path).text


def one_process(raw: dict) -> Process:
    out = Process(raw["pid"])
    for line in raw.get("cgroup", []):
        match = re.search(r"/([^/]+\.service)(/|$)", line)
        if match:
            out.service = re.sub(r"\\x2d", "-", match.group(1))
    arguments = [line.replace("\x01", "\n") for line in raw.get("cmdline", [])]
    environment = dict(line.partition("=")[::2] for line in raw.get("environ", []))
    tokens = arguments[1:]
    jar = tokens.index("-jar") if "-jar" in tokens else -1
    war = next((token for token in tokens[jar + 1 :] if not token.startswith("-")), "") if jar >= 0 else ""
    out.war = war
    out.product = bool(jvmtext.WAR.search(war)) or raw.get("product", False)
    out.apart = raw.get("apart", [])
    out.base = tomcat.base_of(tokens)
    out.flag, out.layer, out.why = jvmtext.in_effect(tokens, environment)
    out.variable = environment.get("HZ_PHONE_HOME_ENABLED", "")
    out.environment = None if raw.get("blind") else environment
    said = [*tokens, *(token for name in environment for token in jvmtext.split_environment(environment[name]))]
    out.casc = "CASC_JENKINS_CONFIG" in environment or any(
        re.match(r"-D(core\.casc|casc\.jenkins)\.config", token) for token in said
    )
    out.brought = bool(raw.get("brought"))
    told = [token.partition("=")[2] for token in tokens if token.startswith("-DJENKINS_HOME=")]
    account = raw.get("account")
    home = [*told, environment.get("JENKINS_HOME", ""), f"{account}/.jenkins" if isinstance(account, str) else ""]
    out.home = next((one.rstrip("/") for one in [*reversed(told), *home[len(told) :]] if one.startswith("/")), "")
    if out.home and "mnt" in out.apart:
        out.home = f"/proc/{out.pid}/root{out.home}"
    if raw.get("blind"):
        out.flag, out.why = (UNKNOWN, "its environment cannot be read, and _JAVA_OPTIONS would beat the command line")
    if not arguments:
        out.flag, out.why = UNKNOWN, "its command line cannot be read (it may have just ended)"
    return out


def outcome(tool: str, rc: int, message: str) -> str:
    if tool == "none":
        return "no_tool"
    if rc == 0:
        return "connected"
    if rc in (124, 137):
        return "timeout"
    for text, name in (
        ("refused", "refused"),
        ("timed out", "timeout"),
        ("No route to host", "blocked"),
        ("not permitted", "blocked"),
        ("Permission denied", "blocked"),
        ("unreachable", "unreachable"),
        ("Temporary failure in name", "resolver_failed"),
        ("Name or service not known", "no_such_name"),
        ("No address associated", "no_such_name"),
        ("resolve", "resolver_failed"),
    ):
        if text in message:
            return name
    return "failed"


def of_unit(name: str, unit: dict, manager: dict[str, str], texts: Texts, bases: list[str]) -> Installation | None:  # noqa: C901 -- one branch a setting
    """The unit's start; bases: catalina.base of what runs in it. None for what cannot or need not be looked at."""
    props = unit["properties"]

    def first(key: str) -> str:
        return (props.get(key) or [""])[0]

    if first("LoadState") in ("not-found", "masked", ""):
        return None
    out = Installation(name, service=True, journal=unit["journal"])
    out.given = "\n".join(value for key in ("Environment", "ExecStart") for value in props.get(key, []))
    out.state = f"{first('ActiveState')} ({first('SubState')}), result {first('Result')}, restarts {first('NRestarts')}"
    out.account = first("User") or "root"
    out.group = first("Group") or out.account
    fragment, source = first("FragmentPath"), first("SourcePath")
    loaded = first("DropInPaths").split()
    out.files = [path for path in [fragment, *loaded] if path and not path.startswith("/run/systemd/generator")]

    seen = {Path(path).name for path in loaded}
    missed = [path for path in unit["dropins"] if Path(path).name not in seen]
    if first("NeedDaemonReload") == "yes":
        out.reload_owed = "its unit files changed on disk"
    elif missed:
        out.reload_owed = f"{missed[0]} is not loaded"

    environment = dict(manager)
    environment.update(unittext.environment(" ".join(props.get("Environment", []))))
    for value in props.get("EnvironmentFiles", []):
        path = value.rsplit(" (ignore_errors", 1)[0]
        one = texts.get(path)
        if any(char in path for char in "*?["):
            out.why = f"EnvironmentFile={path} is a pattern: which files it means is not followed here"
            return out
        if one.state in ("unreadable", "binary", "archive"):
            out.why = f"EnvironmentFile={path} cannot be read: {one.why or 'it is no text'}"
            return out
        if one.state == "text":
            environment.update(unittext.environment_file(one.text))
            out.files.append(path)

    commands = unittext.commands(props.get("ExecStart", []))
    if source.startswith("/etc/") and "init.d" in source or source.startswith("/etc/rc.d/"):
        if not by_tomcat(out, source, f"{source} start", environment, texts, bases):
            by_script(out, source, environment, texts)
        return out
    if not commands:
        out.why = "the unit has no ExecStart="
        return out
    executable, argv = commands[-1]
    inline = re.match(r"(?:\S*/)?(?:ba|da)?sh\s+-\w*c\s+(.*)", argv, re.S)
    interpreter = re.match(r"(?:\S*/)?(?:ba|da|k)?sh\s+(/\S+)", argv)
    start = interpreter.group(1) if interpreter else executable
    if Path(executable).name == "java":
        tokens = unittext.arguments(argv, environment)[1:]
        flag, layer, why = jvmtext.in_effect(tokens, environment)
        out.flag, out.why = flag, why
        jar = tokens[tokens.index("-jar") + 1 :] if "-jar" in tokens else []
        out.wars = [token for token in jar if not token.startswith("-")][:1]
        for option in {"-cp", "-classpath", "--class-path"} & set(tokens):
            out.wars += tokens[tokens.index(option) + 1].split(":")
        out.variables = [layer] if layer.endswith("_OPTIONS") else re.findall(r"\$\{?([A-Za-z_]\w*)", argv)
        decide_file(out, texts)
        inside = tomcat.serves_ours([tomcat.base_of(tokens), *bases], texts.glance)
        if flag == ABSENT and "-jar" not in tokens and not inside:
            out.flag, out.why = UNKNOWN, f"no command that starts java -jar with a war was found in {name}"
    elif by_tomcat(out, start, inline.group(1) if inline else argv, environment, texts, bases):
        pass
    elif inline:
        answer = shelltext.ask(fragment or name, inline.group(1), environment, texts.load)
        take(out, answer, texts)
    else:
        by_script(out, start, environment, texts)
        text = argv + texts.glance(start)
        if out.flag == UNKNOWN and tomcat.NAMED.search(text) and not tomcat.OURS.search(name + text):
            return None  # a Tomcat with other applications
    return out


def is_ours(wars: list[str], unit: dict, texts: Texts) -> bool:
    """Whether one of the wars is the product: by its name, or by what stands in it, from where it is started."""
    folder = (unit.get("properties", {}).get("WorkingDirectory") or ["/"])[0].lstrip("!-")
    found = []
    for war in wars:
        if UNKNOWN_OPEN in war:
            continue
        one = texts.get(war if war.startswith("/") else f"{folder.rstrip('/')}/{war}")
        found.append(bool(jvmtext.WAR.search(war)) or one.state == "archive" and one.why == "ours")
    return any(found)


AGENT = re.compile(r"JENKINS_(?:URL|AGENT\w*|SECRET|NAME)|https?://\S+|\S*agent\S*", re.IGNORECASE)


def is_named(name: str, unit: dict) -> bool:
    """Whether a unit speaks of the product: then what it starts, where that is not known, may be it."""
    wanted = ("User", "Environment", "WorkingDirectory", "ExecStart")
    text = " ".join([name, *(value for key in wanted for value in unit.get("properties", {}).get(key, []))])
    return re.search("jenkins|cloudbees", AGENT.sub("", text), re.IGNORECASE) is not None


def is_unclear(installation: Installation) -> bool:
    """Whether it starts a war whose name only the shell knows."""
    return bool(installation.wars) and all(UNKNOWN_OPEN in war for war in installation.wars)


INIT = re.compile(r"#!\s*\S*(?:init-d-script|openrc-run|runscript)\b")
STARTS = re.compile(r"(supervisord?|runit|runsvdir|monit|crond?|s6)\.service$")
CRON = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){5})\s*(.*)")


def by_starter(path: str, texts: Texts) -> list[Installation]:
    """What others than systemd are told to start; each line is read as a shell would read it."""
    one = texts.get(path)
    commands: list[tuple[str, str, dict[str, str]]] = []
    if "supervisor" in path:
        for part in re.split(r"^\[", one.text, flags=re.M)[1:]:
            keys = dict(re.findall(r"^(\w+)\s*=\s*(.*?)(?:\s;.*)?$", part, re.M))
            given = dict(re.findall(r"(\w+)=[\"']?([^\"',]*)", keys.get("environment", "")))
            if "command" in keys:
                commands.append((part.split("]")[0], f"cd {keys.get('directory', '/')}\n{keys['command']}\n", given))
    elif "cron" in path:
        for line in one.text.splitlines():
            timed = CRON.match(line)
            user = r"\S+\s+" if path.startswith(("/etc/crontab", "/etc/cron.d")) else ""
            if timed and not line.lstrip().startswith("#"):
                commands.append(("a line", re.sub("^" + user, "", timed.group(1)) + "\n", {}))
    elif "monit" in path:
        found = re.findall(r"start\s+program\s*=?\s*\"([^\"]+)", one.text)
        commands = [("a program", text + "\n", {}) for text in found]
    elif path.endswith((".container", ".yml", ".yaml")):
        return [Installation(path, path, why="it starts a container, whose image and environment decide")]
    elif "/systemd/user/" in path:
        return [by_user_unit(path, one.text, texts)]
    elif INIT.match(one.text):  # OpenRC: what its settings make of the command
        settings = f". /etc/conf.d/{Path(path).name}\n{one.text}\n$command $command_args $command_args_foreground\n"
        commands = [("", settings, {})]
    elif path.endswith("inittab"):
        commands = [
            ("an entry", line.split(":", 3)[3] + "\n", {})
            for line in one.text.splitlines()
            if re.match(r"[^#:]+:[^:]*:\w+:", line)
        ]
    else:
        commands = [("", one.text, {})]
    out = []
    for name, text, environment in commands:
        words = text.split()
        script = next((word for word in words if word.startswith("/") and texts.get(word).text.startswith("#!")), "")
        title = f"{path} ({name})" if name else path
        installation = Installation(title, state="started by something else than systemd")
        if script and "-jar" not in text:
            by_script(installation, script, environment, texts)
        else:
            take(installation, shelltext.ask(path, text, environment, texts.load), texts)
        folder = re.match(r"cd (\S+)", text)
        if folder:
            place = folder.group(1)
            installation.wars = [war if war.startswith("/") else f"{place}/{war}" for war in installation.wars]
        out.append(installation)
    return out


def by_user_unit(path: str, text: str, texts: Texts) -> Installation:
    """A unit of a user's own service manager, from its file alone."""
    home = path.partition("/.config/")[0]
    out = Installation(path, state="a user's unit", account=Path(home).name, group=Path(home).name, files=[path])
    joined = re.sub(r"\\\n", " ", text).replace("%h", home)
    environment = {}
    for value in re.findall(r"^Environment=(.*)$", joined, re.M):
        environment.update(unittext.environment(value))
    command = re.findall(r"^ExecStart=[@:+!-]*(.*)$", joined, re.M)
    folder = re.findall(r"^WorkingDirectory=(.*)$", joined, re.M)
    text = f"cd {folder[-1] if folder else home}\n{command[-1] if command else ''}\n"
    take(out, shelltext.ask(path, text, environment, texts.load), texts)
    return out


def by_tomcat(
    out: Installation, start: str, command: str, environment: dict[str, str], texts: Texts, bases: list[str]
) -> bool:
    """Whether this starts a Tomcat with a war of ours; if so, the installation is filled in."""
    script = texts.get(start)
    launcher = tomcat.LAUNCHER.search(command)
    if not bases and not launcher and not tomcat.NAMED.search(command + script.text):
        return False
    bases = [*bases, *(environment.get(name, "").rstrip("/") for name in tomcat.PLACES)]
    try:
        # Tomcat's own script, or the text of an sh -c, stands in the unit; else it is what the unit's script starts.
        file, text = (start, script.text) if script.text and not launcher else (out.name, command)
        found = tomcat.Start(file, text, environment, texts.load)
        bases += found.bases()
        answer = found.answer()
    except (shelltext.Unreadable, RecursionError) as problem:
        answer = shelltext.Answer(why=str(problem), files=[start])
    if not tomcat.serves_ours(bases, texts.glance):
        return False
    take(out, answer, texts)
    having = [path for path in out.files if out.flag == TRUE and jvmtext.PROPERTY in texts.glance(path)]
    out.file = [*answer.files[-1:], *having][-1]
    return True


def by_script(out: Installation, path: str, environment: dict[str, str], texts: Texts) -> None:
    one = texts.get(path)
    foreign = one.state == "text" and one.text.startswith("#!") and not shelltext.SHELL.match(one.text)
    if one.state != "text" or foreign and not INIT.match(one.text):
        out.files.append(path)
        out.why = {
            "missing": f"{path} does not exist",
            "binary": f"no command that starts java -jar with a war was found: {path} is a program, not a script",
            "text": f"no command that starts java -jar with a war was found: {path} is no shell script",
        }.get(one.state, f"{path} is {one.why}")
        return
    take(out, shelltext.ask(path, one.text, environment, texts.load), texts)


def take(out: Installation, answer: shelltext.Answer, texts: Texts) -> None:
    out.flag, out.why, out.variables, out.wars = answer.flag, answer.why, answer.variables, answer.wars
    out.files += [path for path in answer.files if path.startswith("/") and path not in out.files]
    decide_file(out, texts)


def decide_file(out: Installation, texts: Texts) -> None:
    """The last file that sets a variable of the launch command: there a change takes effect."""
    names = option_names(out.variables)
    for path in out.files:
        one = texts.get(path)
        for name in names:
            if re.search(rf"^\s*(export\s+|Environment=.*[\"'\s]|Environment=)?{re.escape(name)}\+?=", one.text, re.M):
                out.file = path
    if not out.file and out.files:
        out.file = out.files[-1]


def option_names(variables: list[str]) -> list[str]:
    """Of the variables on a java command line, those that by their name hold options; else all."""
    return [name for name in variables if re.search(r"ARGS|OPT", name.upper())] or list(variables)


def dead_mentions(installation: Installation, files: dict[str, File]) -> list[tuple[str, int, str]]:
    stem = installation.name.removesuffix(".service")
    out = []
    for path, one in files.items():
        related = path in installation.files or Path(path).name.startswith(stem) or f"/{stem}." in path
        if one.state == "text" and related:
            for line, variable in shelltext.mentions(one.text, path):
                read = path in installation.files and variable in installation.variables
                if installation.flag == ABSENT or not read:
                    out.append((path, line, variable))
    return out


# --- nothing of other options may show ----------------------------------------------------------------------

SECRET_SHAPES = (
    re.compile(r"(Picked up \w*OPTIONS:|Command line argument:).*"),
    re.compile(r"(-[DX][^\s=:]+[=:])(\"[^\"]*\"|'[^']*'|\S+)"),
    re.compile(r"(--?[A-Za-z][\w.-]*=)(\"[^\"]*\"|'[^']*'|\S+)"),
    re.compile(r"(\b[A-Z][A-Z0-9_]{2,}=)(\"[^\"]*\"|'[^']*'|\S+)"),
    re.compile(r"(?i)(\b[\w.-]*(?:pass(?:word|wd|phrase)?|secret|token|credential|api_?key)[\w.-]*\"?\s*[:=]\s*)\S+"),
    re.compile(r"(://[^/\s:@]*:)[^@\s]+(?=@)"),
)


def redact(line: str, secrets: list[str]) -> str:
    """A journal line without anything that looks like, or is known from a launch file to be, a value."""
    for secret in secrets:
        line = line.replace(secret, "***")
    for shape in SECRET_SHAPES:
        line = shape.sub(r"\1***", line)
    return "".join(char if char.isprintable() else "?" for char in line)[:300]


def known_values(files: dict[str, File]) -> list[str]:
    """Every value behind a name that speaks of a secret in a file that was read, longest first."""
    out = set()
    shape = re.compile(r"(?i)(?:pass|secret|token|credential|key)[\w.-]*[=:]\s*[\"']?([^\s\"'\\]{4,})")
    for one in files.values():
        out.update(shape.findall(one.text))
    return sorted(out, key=len, reverse=True)


__all__ = ["ABSENT", "FALSE", "TRUE", "UNKNOWN", "Broken", "Denied", "Facts", "Unreachable", "gather"]
