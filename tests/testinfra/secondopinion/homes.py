"""What a JENKINS_HOME and configuration as code say: CloudBees' own checkbox, core's, and which plugins that send are there.

What cannot be told is UNKNOWN, with the reason; nothing of a file leaves this file but the one value, and where it stands.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

import yaml

from .jvmtext import UNKNOWN

KEYS = ("unclassified", "usageStatisticsCloudBees", "usageStatisticsCollected")
WORDS = {
    **dict.fromkeys(("true", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "no", "n", "off", "0"), False),
}
SUFFIX = "UsageStatisticsCloudBees.xml"
MOST_FILES = 500
#: Plugins that are senders, by the name that the documentation of the collection gives each.
SENDERS = {
    "analytics_plugin": ("cloudbees-analytics",),
    "license_tracker": ("cloudbees-license-tracker",),
    "unify": ("cloudbees-cbp-unify-integration", "cloudbees-cbp-unify-integration-oc"),
    "platform_insights": ("cloudbees-platform-insights",),
    "health_advisor": ("cloudbees-jenkins-advisor",),
}


class Untold(Exception):
    """It cannot be told; the message says why, and quotes no file."""


@dataclass
class Told:
    """True: it is sent. False: it is not. None: seen to say nothing. UNKNOWN: with the reason."""

    value: bool | str | None = None
    why: str = ""
    place: str = ""


@dataclass
class Home:
    path: str
    declared: Told = field(default_factory=Told)
    on_disk: Told = field(default_factory=Told)
    core_off: bool | str | None = UNKNOWN  # core's own noUsageStatistics
    plugins: dict = field(default_factory=dict)  # id -> whether it is disabled
    listed: bool = False  # the folder of the plugins could be read
    events: set = field(default_factory=set)  # (kind, name)
    unread: list = field(default_factory=list)  # archives that events could not be read from


def of_option(text: str, *names: str) -> list[str]:
    """What files that start something set one of these options or variables to; comments aside. Raises Untold."""
    rows = [row for row in text.split("\n") if not row.lstrip().startswith(("#", ";"))]
    shape = "|".join(re.escape(name) for name in names)
    found = re.findall(rf"(?<![\w.])(?:{shape})=(\"[^\"]*\"|'[^']*'|[^\s\"']*)", "\n".join(rows))
    values = list(dict.fromkeys(one.strip("\"'\\") for one in found))
    if any(re.search(r"[$%`\x01]", one) for one in values) or len(values) > 1:
        raise Untold(f"which value {names[0]} has is known only to the shell")
    return values


def plain(files: dict, path: str) -> str | None:
    """The text of a file as UTF-8; None where there is none. Raises Untold."""
    one = files.get(path)
    if one is None or one.state == "missing":
        return None
    if one.state != "text":
        raise Untold(f"{path} cannot be read: {one.why or 'it is no text'}")
    text = one.text.encode("latin-1").decode("utf-8", "replace").removeprefix("\ufeff")
    if "\0" in text or "\ufffd" in text:
        raise Untold(f"{path} is not UTF-8")
    return text


# --- on disk ------------------------------------------------------------------------------------------------


def boolean(text: str | None, name: str, path: str) -> bool | None:
    """What an XML file that XStream wrote has as the text of an element; None where it has none. Raises Untold."""
    if text is None:
        return None
    if re.search(r"<!(DOCTYPE|ENTITY|\[CDATA\[)", text):
        raise Untold(f"{path} is not as the product writes it")
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = set(re.findall(rf"<{name}\b[^>]*>\s*([^<\s]*)\s*</{name}\s*>", text))
    if not found and f"<{name}" not in text:
        return None
    if found not in ({"true"}, {"false"}):
        raise Untold(f"{path}: {name} is neither true nor false")
    return found == {"true"}


def on_disk(home: str, names: list[str], files: dict) -> Told:
    if len(names) != 1:
        return Told(UNKNOWN, f"{home}: {len(names) or 'no'} files match *{SUFFIX}")
    try:
        value = boolean(plain(files, names[0]), KEYS[2], names[0])
    except Untold as problem:
        return Told(UNKNOWN, str(problem))
    return Told(UNKNOWN, f"{names[0]} does not say it") if value is None else Told(value, "", names[0])


# --- declared -----------------------------------------------------------------------------------------------


def root_of(text: str, path: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise Untold(f"{path} is no YAML that could be read") from None


def member(node: yaml.Node | None, key: str, path: str) -> yaml.Node | None:
    """Raises Untold."""
    if node is None or isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null"):
        return None
    if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
        raise Untold(f"{path}: something else than a mapping above {key}")
    found = []
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode) or name.value == "<<":
            raise Untold(f"{path}: a key above {key} that is merged, or is no plain one")
        if name.value.lower() == key.lower():
            found.append(value)
    if len(found) > 1:
        raise Untold(f"{path}: {key} stands there twice")
    return found[0] if found else None


def declared_in(text: str, path: str) -> Told | None:
    """Raises Untold."""
    node = root_of(text, path)
    for key in KEYS:
        node = member(node, key, path)
        if node is None:
            return None
    place = f"{path}:{node.start_mark.line + 1}"
    value = WORDS.get(node.value.lower()) if isinstance(node, yaml.ScalarNode) else None
    if value is None or not node.tag.startswith("tag:yaml.org,2002:"):
        raise Untold(f"{place}: its value is no boolean that could be read")
    return Told(value, "", place)


def of_bundle(folder: str, files: dict, path: str) -> list[str]:
    """The files that a bundle's description lists. Raises Untold."""
    text = plain(files, path)
    if text is None:
        raise Untold(f"{path} is not there")
    root = root_of(text, path)
    if member(root, "parent", path) is not None:
        raise Untold(f"{path}: it has a parent, which is not here")
    listed = member(root, "jcasc", path)
    nodes = [] if listed is None else listed.value if isinstance(listed, yaml.SequenceNode) else [listed]
    out = []
    for node in nodes:
        if not isinstance(node, yaml.ScalarNode) or re.search(r"[$*\\]|^/|^\s*$|(^|/)\.\.(/|$)", node.value):
            raise Untold(f"{path}: what it lists as jcasc cannot be followed")
        out.append(posixpath.normpath(f"{folder}/{node.value}"))
    return out


def declared(home: str, starts: str, brought: bool, files: dict, wanted: set[str]) -> Told:
    """What the next start, or a reload, sets. What is not at hand yet is noted as wanted."""
    try:
        if brought:
            raise Untold("the war brings configuration as code of its own")
        places: list[str] = []
        promoted = f"{home}/core-casc-bundle"
        bundles = of_option(starts, "-Dcore.casc.config.bundle")
        if bundles and not bundles[0].startswith("/"):
            raise Untold("the path of its bundle is not absolute")
        told = [one.rstrip("/") for one in bundles]
        linked = bool(told) and re.search(r"\.ya?ml$", told[0], re.IGNORECASE) is not None
        folder = promoted if linked or not told else told[0]
        have = need(folder, files, wanted)
        if told or f"{folder}/bundle.yaml" in have:
            for listed in of_bundle(folder, files, f"{folder}/bundle.yaml"):
                places += under(listed, have)
        places += of_plugin(home, starts, files, wanted)
        found = [one for path in dict.fromkeys(places) if (one := of_file(path, files)) is not None]
    except Untold as problem:
        return Told(UNKNOWN, str(problem))
    if len({one.value for one in found}) > 1:
        return Told(UNKNOWN, f"{found[0].place} and {found[-1].place} say different things")
    return found[0] if found else Told(None, "no configuration as code sets it")


def of_plugin(home: str, starts: str, files: dict, wanted: set[str]) -> list[str]:
    """Files of the plugin configuration-as-code. Raises Untold."""
    configs = of_option(starts, "-Dcasc.jenkins.config", "CASC_JENKINS_CONFIG")
    path = f"{home}/io.jenkins.plugins.casc.CasCGlobalConfig.xml"
    saved = plain(files, path)
    if not configs and saved is not None:
        configs = [one for one in re.findall(r"<configurationPath>\s*([^<]*?)\s*</", saved) if one]
    out: list[str] = []
    for one in [part.strip() for value in configs or [f"{home}/jenkins.yaml"] for part in value.split(",")]:
        if not one.startswith("/"):
            raise Untold("where its configuration as code lies is a URL, or no absolute path")
        have = need(one.rstrip("/"), files, wanted)
        if configs and not have:
            raise Untold(f"{one} is not there, or is empty")
        out += under(one.rstrip("/"), have)
    return out


def need(folder: str, files: dict, wanted: set[str]) -> list[str]:
    """The files of a folder, or the one file."""
    one = files.get(f"casc:{folder}")
    if one is None:
        wanted.add(f"casc:{folder}")
        return []
    found = [] if one.state != "text" else [path for path in one.text.split("\n") if path]
    if len(found) >= MOST_FILES or not all(path.startswith("/") for path in found):
        raise Untold(f"{folder}: more files, or of odder names, than are looked at, or it could not be listed")
    return found


def under(place: str, have: list[str]) -> list[str]:
    """The one file, or what counts of a folder; what is hidden does not."""
    if place in have:
        return [place]
    return [
        path
        for path in have
        if path.startswith(place + "/")
        and re.search(r"\.ya?ml$", path, re.IGNORECASE)
        and "/." not in path[len(place) :]
        and posixpath.basename(path) != "bundle.yaml"
    ]


def of_file(path: str, files: dict) -> Told | None:
    text = plain(files, path)  # one that names nothing of it was not fetched
    return None if text is None else declared_in(text, path)


# --- all of it ----------------------------------------------------------------------------------------------


def read(path: str, starts: str, brought: bool, files: dict, wanted: set[str]) -> Home:
    """What is known of a home so far."""
    out = Home(path)
    folder = files.get(f"home:{path}")
    if folder is None:
        wanted.add(f"home:{path}")
        return out
    if folder.state != "text":
        why = f"{path} is not there, or cannot be read"
        out.declared, out.on_disk = Told(UNKNOWN, why), Told(UNKNOWN, why)
        return out
    rows = [row.partition(" ")[::2] for row in folder.text.split("\n") if row]
    toggles = [value for key, value in rows if key == "toggle"]
    names = [value for key, value in rows if key == "plugin"]
    out.listed = ("listed", "") in rows
    ids = {re.sub(r"(\.[jh]pi)?(\.disabled)?$", "", name) for name in names if not name.endswith((".bak", ".tmp"))}
    out.plugins = {one: bool({f"{one}.jpi.disabled", f"{one}.hpi.disabled"} & set(names)) for one in ids}
    out.on_disk = on_disk(path, toggles, files)
    out.declared = declared(path, starts, brought or ("brought", "") in rows, files, wanted)
    try:
        config = f"{path}/config.xml"
        out.core_off = boolean(plain(files, config), "noUsageStatistics", config)
    except Untold:
        out.core_off = UNKNOWN
    return out
