# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules do on the host: options in, result out, the same for the ordinary module and for the carrier.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. Each function has the name of
its module and imports late what it needs, because the carrier sends no more than that.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence

from .host import _limits as limits
from .host._child import supervised

#: A module's result. With ``failed`` true it has a ``msg``.
Result = Dict[str, Any]


def answer(
    function: str, params: Dict[str, Any], check_mode: bool, prepare: Callable[[], None] = lambda: None
) -> Result:
    """What one of the functions below returns, as it ran within the limits of a host; ``prepare`` runs there first."""

    def work() -> Result:
        prepare()
        return globals()[function](params, check_mode)  # type: ignore[no-any-return]

    probes = function == "connectivity_probe" or params.get("connectivity") is not None
    return supervised(work, limits.MEMORY_OF_PROBES if probes else limits.MEMORY)


def telemetry_info(params: Dict[str, Any], check_mode: bool) -> Result:
    """The state document, under ``state``."""
    from .host._files import readable

    refused = _relative(params)
    if refused:
        return {"failed": True, "msg": refused}
    try:
        document = state(
            params["root"],
            _bytewise(params["launch_scripts"]),
            params["connectivity"],
            params["attach"],
            params.get("events") == "disk",
            params.get("senders"),
        )
    except (OSError, ValueError) as error:
        return {"failed": True, "msg": readable("the state of this host cannot be read: %s" % error)}
    return {"changed": False, "state": _readable(document)}


def _readable(document: Dict[str, Any]) -> Dict[str, Any]:
    """A state document in characters; the answers of the probe are so already."""
    from .host._files import readable

    return {key: value if key == "connectivity" else readable(value) for key, value in document.items()}


def telemetry_flag(params: Dict[str, Any], check_mode: bool) -> Result:
    """What was edited, or in check mode would be, and the state document after it."""
    from .edit._declare import declare_all
    from .edit._writing import Refused
    from .host._files import readable
    from .java._jvm import PROPERTY, switch_of

    refused = _relative(params)
    switches = params.get("switches") or []
    wanted = []  # type: List[Any]
    try:
        wanted = [(switch_of(one), one["state"]) for one in switches]
    except ValueError as error:
        refused = refused or "switches: %s" % error
    if not refused and any(one["name"] == PROPERTY for one in switches):
        refused = "switches: one is the flag itself, which ``state`` is about"
    known = {}  # type: Dict[str, Any]
    if not refused and any(
        known.setdefault(switch.key, (switch, state)) != (switch, state) for switch, state in wanted
    ):
        refused = "switches: one stands there twice, and not alike"
    if refused:
        return {"failed": True, "msg": refused}
    clocks = None  # type: Any
    if switches:
        from .senders._senders import clocks_of

        clocks = clocks_of
    try:
        done = declare_all(
            params["state"],
            wanted,
            params["root"],
            check_mode,
            _bytewise(params["launch_scripts"]),
            _bytewise(params["name"]),
            params["backup"],
            params["attach"],
            params["run"],
            params["backup_count"],
            params["backup_days"],
            clocks,
        )
        unset = []  # type: List[str]
        if params.get("toggle", "unmanaged") != "unmanaged":
            from .edit._checkbox import set_all

            kept = params["run"], params["backup_count"], params["backup_days"]
            done, unset = set_all(params["toggle"], done, params["root"], check_mode, _bytewise(params["name"]), *kept)
        if not done.changed:
            _probed(done.found, done.document, params.get("connectivity"))
    except (Refused, OSError, ValueError) as error:
        return {
            "failed": True,
            "msg": readable(str(error)),
            "refused": [readable(str(error))],
            "backup_files": [],
            "files": [],
            "notes": [],
            "restart_required": [],
            "reload_required": False,
        }
    result = {
        "changed": done.changed,
        "restart_required": done.restart_required,
        "reload_required": done.reload_required,
        "backup_files": done.backups,
        "files": done.files,
        "notes": done.notes,
        "refused": done.refused,
        "diff": done.diffs,
    }  # type: Result
    if unset:
        result["toggle_refused"] = unset
    if done.refused:
        result.update(failed=True, msg="; ".join(done.refused))
    return dict(readable(result), state=_readable(done.document))


def telemetry_prove(params: Dict[str, Any], check_mode: bool) -> Result:
    """One proof for each installation, of what its next start gives."""
    from .host._files import readable
    from .prove._prove import prove

    refused = _relative(dict(params, root="/"))
    if not refused and not 5 <= params["timeout"] <= 60:
        refused = "timeout: from 5 to 60 seconds"
    if refused:
        return {"failed": True, "msg": refused}
    try:
        return readable(  # type: ignore[no-any-return]
            prove(_bytewise(params["launch_scripts"]), _bytewise(params["name"]), params["timeout"], check_mode)
        )
    except (OSError, ValueError) as error:
        return {"failed": True, "msg": readable("nothing could be proved: %s" % error)}


def analytics_events_info(params: Dict[str, Any], check_mode: bool) -> Result:
    """The events that each installation's plugins say they send."""
    from .host._files import HostFiles, readable
    from .survey._document import document_of
    from .survey._survey import survey

    refused = _relative(params)
    if refused:
        return {"failed": True, "msg": refused}
    from .events import _plugins as events

    try:
        found = survey(HostFiles(params["root"]), _bytewise(params["launch_scripts"]), "never")
        document = document_of(found)
        limits.more(events.SECONDS_ALONE)
        _add_events(found, document, events.SECONDS_ALONE)
    except (OSError, ValueError) as error:
        return {"failed": True, "msg": readable("the state of this host cannot be read: %s" % error)}
    rows = [
        {
            "name": one["name"],
            "product": one["product"],
            "product_version": one["settings"]["product_version"],
            "home": one["home"],
            "carried": events.carried(one["product"], one["settings"]["product_version"]),
            "events": one["events"],
        }
        for one in document["installations"]
    ]
    return {"changed": False, "installations": readable(rows), "notes": readable(document["warnings"])}


def connectivity_probe(params: Dict[str, Any], check_mode: bool) -> Result:
    """The probe's answers, judged by what is expected."""
    from .outcomes._outcomes import answers_meet
    from .probe._configured import connectivity

    expect = params["expect"]
    try:
        probes, notes = connectivity(params)
    except ValueError as error:
        return {"failed": True, "msg": str(error)}
    except OSError as error:
        return {"failed": True, "msg": "the configuration of the controllers on this host cannot be read: %s" % error}
    if not probes:
        return {
            "failed": True,
            "notes": notes,
            "msg": "there was no path to probe: no controller of this host is "
            "configured with a proxy that counts for the endpoint",
        }
    first = probes[0]
    result = {key: first[key] for key in ("outcome", "address", "message")}  # type: Result
    result.update(changed=False, probe=first, probes=probes, notes=notes)
    if not answers_meet(probes, expect):
        other = next((one for one in probes if not answers_meet([one], expect)), first)
        result.update(
            failed=True,
            msg="expected %s (%s) to be %s: %s. %s"
            % (other["target"], other["via"], expect, other["outcome"], other["message"]),
        )
    return result


def _bytewise(values: List[str]) -> List[str]:
    """Paths and names among the options, one character a byte, as launch files and folders are read."""
    from .host._files import bytewise

    return [bytewise(value) for value in values]


def _relative(params: Dict[str, Any]) -> Optional[str]:
    """What is wrong with the paths among the options."""
    for path in [params["root"]] + params["launch_scripts"]:
        if not path.startswith("/"):
            return "%s: an absolute path is needed" % path
    return None


def _add_events(found: Any, document: Dict[str, Any], seconds: float) -> None:
    """The events of each installation of a survey, into its document."""
    from .events._plugins import UNREAD, Events, unknown
    from .survey._document import wars_of

    events = Events(found.files, seconds)
    for entry, one in zip(found.entries, document["installations"]):
        one["events"] = unknown(UNREAD) if entry.stray else events.of(one["home"], wars_of(entry, found.files))


def state(
    root: str = "/",
    launch_scripts: Sequence[str] = (),
    probe: Optional[Dict[str, Any]] = None,
    attach: str = "auto",
    with_events: bool = False,
    senders: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """The state document of this host (or of the image mounted at ``root``)."""
    from .host._files import HostFiles
    from .survey._document import document_of
    from .survey._survey import survey

    if senders is None:
        found = survey(HostFiles(root), launch_scripts, attach)
        document = document_of(found)
    else:
        from .senders._senders import add, asked

        wanted = asked(senders)
        found = survey(HostFiles(root), launch_scripts, attach, wanted.switches, wanted.threads)
        document = document_of(found)
        add(found, document, wanted)
    if with_events:
        from .events._plugins import SECONDS

        _add_events(found, document, SECONDS)
    _probed(found, document, probe)
    return document


def _probed(found: Any, document: Dict[str, Any], probe: Optional[Dict[str, Any]]) -> None:
    """Puts what became of the probe into a state document, where one is wanted."""
    if probe is not None and found.files.root == "/":
        from .probe import _options
        from .probe._configured import way_of

        document["connectivity"], notes = _options.answers(probe, way_of(found, document))
        document["warnings"] += notes
