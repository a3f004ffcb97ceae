# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: findings of a state and a policy. What is decided of a host is decided here, and read everywhere else.

Pure. Private to this collection. Runs on the managed host (Python 3.6+, standard library only) and on the control node.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..outcomes._outcomes import BLOCKED, REACHABLE, answers_meet, lets_through, outcomes_of, serves_a_sender

KNOWN = ("disabled", "enabled")

#: What a finding is about.
CLOCKS = ("on_disk", "next_start", "running")
CONNECTIVITY, HOST, TOGGLE, SWITCHES = "connectivity", "host", "toggle", "switches"

#: What is owed, in the order in which it is paid.
EDIT, RELOAD, RESTART, PROBE = DEBTS = ("edit", "reload", "restart", "probe")

#: What a finding may make of a host, and how bad that is: what is against the policy, what is not known, what is right.
OK, OPEN, BAD = "ok", "open", "bad"
LEVELS: Dict[str, str] = {
    "violation": BAD,
    "restart_pending": BAD,
    "unknown": OPEN,
    "compliant": OK,
    "not_applicable": OK,
}
_WORST_FIRST = (BAD, OPEN, OK)


class Finding(NamedTuple):
    """One thing that was found out about a host, held against its policy."""

    #: One of CLOCKS, CONNECTIVITY, TOGGLE, SWITCHES or HOST.
    about: str
    #: The installation or the endpoint.
    subject: str
    #: What a host would be of which nothing else was found.
    verdict: str
    #: For the person who must act; empty where another finding says it all.
    sentence: str = ""
    #: Of DEBTS.
    debts: Tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """How bad it is: ``ok``, ``open`` or ``bad``."""
        return LEVELS[self.verdict]


def worst_level(found: Sequence[Finding]) -> str:
    """The worst level of some findings, ``ok`` where there is none."""
    return min((one.level for one in found), key=_WORST_FIRST.index) if found else OK


def debts_of(found: Sequence[Finding]) -> List[str]:
    """All that is owed by some findings, each once, in the order in which it is paid."""
    return [debt for debt in DEBTS if any(debt in one.debts for one in found)]


# -- what is owed -----------------------------------------------------------------------------------


def runs_another(running: str, desired: str) -> bool:
    """Whether a JVM is known to run with another value; one that is not known, or not there, is not."""
    return running == "mixed" or (running in KNOWN and running != desired)


def owed(on_disk: str, next_start: str, running: str, desired: str) -> Tuple[str, ...]:
    """What an installation owes. A restart is owed once the files are right; what they are must be known."""
    if on_disk not in KNOWN:
        return ()
    if on_disk != desired:
        return (EDIT,)
    found = [RELOAD] if next_start in KNOWN and next_start != desired else []
    return tuple(found + ([RESTART] if runs_another(running, desired) else []))


def owed_by(entry: Mapping[str, Any], desired: str) -> Tuple[str, ...]:
    """The same of an installation of the state document."""
    return owed(entry["on_disk"], entry["next_start"], entry["running"], desired)


def switch_of(entry: Mapping[str, Any], wanted: Mapping[str, str]) -> Optional[Mapping[str, Any]]:
    """The clocks of a switch that is policy; None where nobody has looked at it."""
    return next(
        (
            one
            for one in entry.get("switches") or ()
            if all(one.get(key) == (wanted.get(key) or None) for key in ("name", "off_value", "kind"))
        ),
        None,
    )


def goals_of(
    entry: Mapping[str, Any], desired: str, switches: Sequence[Mapping[str, str]] = ()
) -> List[Tuple[Mapping[str, Any], str]]:
    """The clocks of all that is policy of a JVM, each with what it is to be: the flag's, then the other switches'."""
    found = [(switch_of(entry, one), one["desired"]) for one in switches if desired in KNOWN]
    flag: List[Tuple[Mapping[str, Any], str]] = [(entry, desired)] if desired in KNOWN else []
    return flag + [(clocks, wanted) for clocks, wanted in found if clocks is not None]


def owed_after_edit(
    entry: Mapping[str, Any], desired: str, switches: Sequence[Mapping[str, str]] = ()
) -> Tuple[str, ...]:
    """What an installation will owe when its files are right and loaded."""
    return tuple(
        dict.fromkeys(
            debt
            for clocks, wanted in goals_of(entry, desired, switches)
            for debt in owed(wanted, wanted, clocks["running"], wanted)
        )
    )


def restart_helps(
    entry: Mapping[str, Any], desired: str, switches: Sequence[Mapping[str, str]] = (), toggle: str = "unmanaged"
) -> bool:
    """Whether a restart is owed and is known to pay the debt: the next start is as desired.

    It is not where something else would be worse by it than it is now: what is right, or not known, and would not be.
    """
    goals = goals_of(entry, desired, switches)
    if any(clocks["next_start"] != wanted and not _is_contrary(clocks["running"], wanted) for clocks, wanted in goals):
        return False
    return any(
        clocks["next_start"] == wanted and owed_by(clocks, wanted) == (RESTART,) for clocks, wanted in goals
    ) or any(RESTART in one.debts for one in of_toggle(entry, toggle))


def _is_contrary(running: str, desired: str) -> bool:
    """Whether no JVM is as desired."""
    return running == "not_running" or (running in KNOWN and running != desired)


def is_reached(
    before: Mapping[str, Any], after: Mapping[str, Any], desired: str, switches: Sequence[Mapping[str, str]] = ()
) -> bool:
    """Whether JVMs run with all that the next start promised them before they were restarted."""
    promised = [one for one in switches if (switch_of(before, one) or {}).get("next_start") == one["desired"]]
    flag = desired if before["next_start"] == desired else "unmanaged"
    return (flag not in KNOWN or after["running"] == desired) and all(
        (switch_of(after, one) or {}).get("running") == one["desired"] for one in promised if desired in KNOWN
    )


# -- the three clocks of an installation ------------------------------------------------------------


def where(detail: Mapping[str, Any]) -> str:
    """``file:line``, ``file`` or nothing."""
    if not detail.get("file"):
        return ""
    return "%s:%s" % (detail["file"], detail["line"]) if detail.get("line") else str(detail["file"])


def _because(entry: Mapping[str, Any], clock: str) -> str:
    detail = entry.get(clock + "_detail") or {}
    return ", ".join(part for part in (where(detail), detail.get("reason")) if part) or "no reason was given"


class Subject(NamedTuple):
    """What the three clocks are of, in words."""

    what: str  # that is on or off
    flag: str  # the option that turns it off
    off: str  # its value
    cure: str
    into: str  # what does the same for one place; %s is the place
    place: str = ""  # where that is, where it is none of the flag's


#: The flag itself.
_FLAG = Subject("telemetry", "the flag", "true", "run enforce", "run enforce to put it into %s")


def _contrary_on_disk(entry: Mapping[str, Any], desired: str, of: Subject) -> str:
    name, launch, place = entry["name"], entry.get("launch") or {}, where(entry.get("on_disk_detail") or {})
    if desired == "enabled":
        by = (entry.get("on_disk_detail") or {}).get("reason")
        if by and not place:  # a variable, which enforce does not write
            return "%s: %s; take it out by hand" % (name, by)
        return "%s: %s turns %s off; %s" % (name, place or "its launch configuration", of.what, of.cure)
    live = "%s in %s" % (launch["variable"], launch["file"]) if launch.get("variable") else launch.get("file", "")
    live = of.place or live
    dead = [item for item in entry.get("declarations") or [] if not item["live"] and item["value"].lower() == of.off]
    if dead:
        return "%s: %s in %s:%s has no effect (%s); %s" % (
            name,
            of.flag,
            dead[0]["file"],
            dead[0]["line"],
            dead[0].get("reason"),
            of.into % (live or "the live launch file"),
        )
    if place:
        return "%s: %s sets %s to another value than %s; %s" % (name, place, of.flag, of.off, of.cure)
    return "%s: %s is not in %s; %s" % (name, of.flag, live or "its launch configuration", of.cure)


def of_installation(entry: Mapping[str, Any], desired: str, of: Subject = _FLAG) -> List[Finding]:
    """One finding for each clock (docs/clocks.md); who must act reads each thing once, by the first that decides."""
    name, debts = entry["name"], owed_by(entry, desired)
    on_disk, next_start, running = (entry[clock] for clock in CLOCKS)
    service = entry.get("service") or name
    right = on_disk == desired

    def finding(about: str, verdict: str, sentence: str = "", *mine: str) -> Finding:
        return Finding(
            about,
            name,
            verdict,
            "%s: %s" % (name, sentence) if sentence else "",
            tuple(debt for debt in mine if debt in debts),
        )

    # What the files say.
    if on_disk not in KNOWN:
        disk = finding(
            "on_disk", "unknown", "what the next start would do cannot be resolved: %s" % _because(entry, "on_disk")
        )
    elif right:
        disk = finding("on_disk", "compliant")
    else:
        disk = Finding("on_disk", name, "violation", _contrary_on_disk(entry, desired, of), debts)

    # What is loaded. Where the files cannot be resolved nobody knows whether it is what they say.
    is_loaded_known = next_start in KNOWN
    if next_start == desired:
        loaded = finding("next_start", "compliant")
    elif not right or not is_loaded_known:
        loaded = finding(
            "next_start",
            "violation" if is_loaded_known and on_disk in KNOWN else "unknown",
            "what is loaded for its next start is not known: %s" % _because(entry, "next_start") if right else "",
        )
    elif running == desired:
        loaded = finding(
            "next_start",
            "violation",
            "the next start would run with %s %s: the service manager "
            "has an older unit loaded; run systemctl daemon-reload" % (of.what, next_start),
            RELOAD,
        )
    else:
        then = (
            "and then a restart of %s are owed" % service
            if RESTART in debts
            else "is owed; it is not running"
            if running == "not_running"
            else "is owed; whether a restart is, is not known: %s" % _because(entry, "running")
        )
        loaded = finding(
            "next_start", "restart_pending", "the files are right, but systemctl daemon-reload %s" % then, RELOAD
        )

    # What runs.
    decides = right and next_start == desired
    if running == desired:
        jvm = finding("running", "compliant")
    elif running == "not_running":
        jvm = finding(
            "running", "compliant", "not running; its next start has %s %s" % (of.what, desired) if decides else ""
        )
    elif not runs_another(running, desired):
        jvm = finding(
            "running", "unknown", "the running value is not known: %s" % _because(entry, "running") if decides else ""
        )
    elif not right:
        jvm = finding(
            "running", "violation", "" if on_disk in KNOWN else "the running JVM has %s %s" % (of.what, running)
        )
    elif not is_loaded_known:  # so a restart may be no cure
        jvm = finding("running", "unknown", "", RESTART)
    else:
        jvm = finding(
            "running",
            "restart_pending",
            "the files are right, but the running JVM has %s %s; a restart of %s is owed" % (of.what, running, service)
            if decides
            else "",
            RESTART,
        )
    return [disk, loaded, jvm]


def of_switch(entry: Mapping[str, Any], wanted: Mapping[str, str]) -> List[Finding]:
    """The same for a switch beside the flag; ``wanted`` has its ``name``, ``off_value``, ``desired`` and ``words``,
    and ``kind`` where it is a variable of the environment."""
    name, off, words = wanted["name"], wanted["off_value"], wanted["words"]
    found = switch_of(entry, wanted)
    if found is None:
        why = "%s: whether %s is %s was not looked at" % (entry["name"], words, wanted["desired"])
        return [Finding(SWITCHES, entry["name"], "unknown", why)]
    place = "the environment of its next start" if wanted.get("kind") == "environment" else ""
    option = "%s%s=%s" % ("" if place else "-D", name, off)
    of = Subject(words, option, off, "run enforce", "run enforce to put it into %s", place)
    clocks = dict(entry, **{key: value for key, value in found.items() if key not in ("name", "kind")})
    return [
        one._replace(about=SWITCHES, sentence=_of(words, one.sentence))
        for one in of_installation(clocks, wanted["desired"], of)
    ]


def _of(words: str, sentence: str) -> str:
    """A sentence that says of what it is."""
    return sentence if not sentence or words in sentence else "%s (%s)" % (sentence, words)


# -- CloudBees' own checkbox ------------------------------------------------------------------------

#: What the toggle and the JVMs come to together, whatever the policy. Core's own checkbox says nothing of it.
SENDING: Dict[Tuple[str, str], str] = {
    ("on", "on"): "CloudBees' telemetry is sent: the toggle is on, and the JVM does not stop it",
    ("on", "off"): "off by the JVM; the toggle is on",
    ("on", "unknown"): "the toggle is on; whether the JVM stops it is not known",
    ("off", "on"): "off by the toggle only, not by the launch flag: a reload of configuration as code or a click turns "
    "it on",
    ("off", "off"): "off twice, by the toggle and by the JVM",
    ("off", "unknown"): "off by the toggle; whether the JVM stops it is not known",
    ("unknown", "on"): "the toggle is not known, and the JVM does not stop it: it is sent as far as is known",
    ("unknown", "off"): "off by the JVM; the toggle is not known",
    ("unknown", "unknown"): "neither the toggle nor the JVM is known",
}
_NOWHERE: Dict[str, Any] = {"collected": "unknown", "reason": "configuration as code was not looked for"}


def _place(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (entry.get("toggle") or {}).get(name) or _NOWHERE
    return found


def _bool(entry: Mapping[str, Any], name: str) -> Optional[bool]:
    value = _place(entry, name)["collected"]
    return value if isinstance(value, bool) else None


def _said(value: bool) -> str:
    return "on" if value else "off"


def toggle_now(entry: Mapping[str, Any]) -> Optional[str]:
    """The place that tells what the toggle is now: what the product serves, else what lies on its disk; or None."""
    return next((name for name in ("served", "on_disk") if _bool(entry, name) is not None), None)


def _is_untold(entry: Mapping[str, Any]) -> bool:
    """Whether the product was asked and does not tell: what a file says is then no proof of being off."""
    return "served" in (entry.get("toggle") or {}) and _bool(entry, "served") is None


def toggle_of(entry: Mapping[str, Any]) -> str:
    """``on``, ``off`` or ``unknown``: what it is now, else what the next start is told."""
    value = _bool(entry, toggle_now(entry) or "declared")
    return "unknown" if value is None or (value is False and _is_untold(entry)) else _said(value)


def sending(entry: Mapping[str, Any]) -> str:
    """What the toggle and the JVMs of an installation come to together: a sentence of SENDING."""
    running = entry["next_start"] if entry["running"] == "not_running" else entry["running"]
    jvm = {"disabled": "off", "enabled": "on", "mixed": "on"}.get(running, "unknown")
    return SENDING[toggle_of(entry), jvm]


def _where_toggle(entry: Mapping[str, Any], name: str) -> str:
    detail = _place(entry, name)
    how = {"export": "by its export", "page": "by its page", "inferred name": "an inferred name"}.get(
        str(detail.get("mark")), ""
    )
    words = ", ".join(part for part in (where(detail), how) if part)
    return "%s (%s)" % (_PLACES[name], words) if words else _PLACES[name]


_PLACES = {"declared": "declared", "on_disk": "on disk", "served": "in the product"}


def disagreements(entry: Mapping[str, Any]) -> List[str]:
    """Where the places of the toggle, or the toggle and the JVM, do not say the same."""
    found = []
    names = [name for name in ("declared", "served", "on_disk") if _bool(entry, name) is not None]
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            if _bool(entry, one) is not _bool(entry, other):
                drift = one == "declared" and ": the next start or reload turns it %s" % _said(bool(_bool(entry, one)))
                found.append(
                    "%s %s, %s %s%s"
                    % (
                        _said(bool(_bool(entry, one))),
                        _where_toggle(entry, one),
                        _said(bool(_bool(entry, other))),
                        _where_toggle(entry, other),
                        drift or "",
                    )
                )
    words = sending(entry)
    if words in (SENDING["on", "off"], SENDING["off", "on"]):
        found.append("toggle %s and JVM %s" % (toggle_of(entry), "off" if words == SENDING["on", "off"] else "on"))
    return found


def of_toggle(entry: Mapping[str, Any], wanted: str) -> List[Finding]:
    """What the toggle of an installation is, against ``disabled`` or ``enabled``; none where nobody wants anything.

    What is declared counts at the next start or reload; what the product serves, or has on its disk, is what it is now.
    """
    if wanted not in KNOWN:
        return []
    desired, name = wanted == "enabled", entry["name"]
    now, declared = toggle_now(entry), _bool(entry, "declared")
    is_silent = _place(entry, "declared")["collected"] is None
    on_disk = _bool(entry, "on_disk")

    def finding(verdict: str, sentence: str = "", *debts: str) -> List[Finding]:
        return [Finding(TOGGLE, name, verdict, "%s: %s" % (name, sentence) if sentence else "", debts)]

    # What was set after a JVM's start takes a restart; where that was made since and did not help, another will not.
    late = (RESTART,) if declared is desired and _place(entry, "declared").get("pending") else ()

    if now is not None and _bool(entry, now) is not desired:
        if declared is desired:
            return finding(
                "restart_pending",
                "CloudBees' toggle is %s %s, and still %s %s: a reload of its configuration as code, or a "
                "restart, is owed"
                % (_said(desired), _where_toggle(entry, "declared"), _said(not desired), _where_toggle(entry, now)),
                *late,
            )
        also = "; it is so %s too" % _where_toggle(entry, "declared") if declared is not None else ""
        return finding(
            "violation", "CloudBees' toggle is %s %s%s" % (_said(not desired), _where_toggle(entry, now), also)
        )
    if declared is not None and declared is not desired:
        return finding(
            "violation",
            "CloudBees' toggle is %s %s, so the next start or reload turns it %s"
            % (_said(declared), _where_toggle(entry, "declared"), _said(declared)),
        )
    if is_silent and on_disk is not None and on_disk is not desired:
        return finding(
            "violation",
            "CloudBees' toggle is %s %s, so the next start turns it %s"
            % (_said(on_disk), _where_toggle(entry, "on_disk"), _said(on_disk)),
        )
    if declared is None and not is_silent:
        return finding(
            "unknown",
            "whether CloudBees' toggle is declared is not known: %s" % _place(entry, "declared").get("reason"),
        )
    # What the product does not tell, a file tells of a JVM that is known to be younger; of what was declared after the
    # JVM's start that was not told either.
    told = {} if is_silent else _place(entry, "declared")
    is_file = on_disk is desired and _bool(entry, "served") is None
    decides = _place(entry, "on_disk") if is_file and (is_silent or told.get("pending")) else {}
    if decides.get("pending"):
        return finding(
            "restart_pending",
            "CloudBees' toggle is %s %s, which was edited after the start of its JVM: that has it as it was, so a "
            "restart is owed" % (_said(desired), _where_toggle(entry, "on_disk")),
            RESTART,
        )
    if is_file and (decides.get("elsewhere") or told.get("elsewhere")):
        return finding(
            "unknown",
            "whether CloudBees' toggle is so in the product is not known: it is %s %s, which may be newer than its JVM "
            "(by an edit that another host has on record, or that has a time to come); telemetry_toggle_served asks "
            "the product"
            % (_said(desired), _where_toggle(entry, "on_disk" if decides.get("elsewhere") else "declared")),
        )
    if is_file and told.get("ours") and not _is_untold(entry):
        return finding(
            "unknown",
            "whether CloudBees' toggle is so in the product is not known: it is %s %s, which was edited after the "
            "start of its JVM, so a restart is owed" % (_said(desired), _where_toggle(entry, "declared")),
            *late,
        )
    if is_file and entry["running"] == "unknown" and not entry.get("processes"):
        return finding(
            "unknown",
            "whether CloudBees' toggle is so in the product is not known: it is %s %s, and its JVM is not seen, which "
            "may be older" % (_said(desired), _where_toggle(entry, "on_disk")),
        )
    if now is None or _is_untold(entry):
        asked, seen = _is_untold(entry), "declared" if declared is not None else now
        return finding(
            "unknown",
            "%swhether CloudBees' toggle is so in the product is not known: %s%s"
            % (
                "it is %s %s, but " % (_said(desired), _where_toggle(entry, seen)) if seen is not None else "",
                _place(entry, "served" if asked else "on_disk").get("reason"),
                "" if asked else "; telemetry_toggle_served asks the product",
            ),
            # A bundle is given anew for many reasons: only of our own edit it is known that no JVM has it.
            *(late if _place(entry, "declared").get("ours") else ()),
        )
    return finding("compliant")


# -- the answers of the probe -----------------------------------------------------------------------


def path_of(answer: Mapping[str, Any]) -> str:
    """An endpoint and the way to it, in words."""
    via = answer.get("via", "direct")
    return str(answer["target"]) + ("" if via == "direct" else " through the proxy %s" % via)


def of_endpoint(answers: Sequence[Mapping[str, Any]], connectivity: str) -> List[Finding]:
    """The findings of the paths to one endpoint, in their order, against ``required`` or ``forbidden``.

    Nobody outside of CloudBees knows which of several paths the plugin takes. So every one has to be as it is wanted,
    and what is required is broken only where none is.
    """
    target = str(answers[0]["target"])
    good = [answers_meet([answer], REACHABLE if connectivity == "required" else BLOCKED) for answer in answers]
    contrary = [answer for answer, is_good in zip(answers, good) if not is_good]
    some = connectivity == "required" and 0 < len(contrary) < len(answers)
    is_unknown = any("unknown" in outcomes_of(answer) for answer in contrary)
    is_open = connectivity == "forbidden" and any(map(lets_through, contrary))
    found: List[Finding] = []
    if some:
        found.append(
            Finding(
                CONNECTIVITY,
                target,
                "unknown",
                "connectivity is required, and only %s gets through; "
                "which of the paths the plugin takes is not known"
                % ", ".join(path_of(answer) for answer, is_good in zip(answers, good) if is_good),
            )
        )
    for answer, is_good in zip(answers, good):
        said = "%s: %s" % (path_of(answer), answer["message"])
        if is_good:
            found.append(Finding(CONNECTIVITY, target, "compliant"))
        elif connectivity == "required" and (some or is_unknown):
            found.append(
                Finding(CONNECTIVITY, target, "unknown", said, () if "unknown" in outcomes_of(answer) else (PROBE,))
            )
        elif connectivity == "required" or lets_through(answer):
            found.append(
                Finding(
                    CONNECTIVITY, target, "violation", "connectivity is %s, but %s" % (connectivity, said), (PROBE,)
                )
            )
        else:
            found.append(
                Finding(
                    CONNECTIVITY,
                    target,
                    "unknown",
                    ""
                    if is_open
                    else "connectivity is forbidden, and whether this path is blocked is not known: %s" % said,
                )
            )
    return found


def of_connectivity(answers: Sequence[Mapping[str, Any]], connectivity: str) -> List[List[Finding]]:
    """The findings of the probe, those of each endpoint together; none where nobody asked."""
    if connectivity not in ("required", "forbidden"):
        return []
    if not answers:
        return [[Finding(CONNECTIVITY, "", "unknown", "the endpoint was not probed from this node")]]
    return [
        of_endpoint([answer for answer in answers if answer["target"] == target], connectivity)
        for target in dict.fromkeys(answer["target"] for answer in answers)
    ]


def egress_of(answers: Sequence[Mapping[str, Any]]) -> str:
    """What the answers mean together, whatever the policy: where a sender would get through, and whether it could."""
    if not answers:
        return "not_probed"
    direct = [answer.get("via", "direct") == "direct" for answer in answers if serves_a_sender(answer)]
    if direct:
        return "open" if any(direct) else "proxy_only"
    return "blocked" if answers_meet(answers, BLOCKED) else "unclear"


# -- a host -----------------------------------------------------------------------------------------


def of_host(
    state: Mapping[str, Any],
    desired: str,
    connectivity: str,
    expect: str = "",
    toggle: str = "unmanaged",
    switches: Sequence[Mapping[str, str]] = (),
) -> List[List[Finding]]:
    """All findings of a host by its state document, those of an installation and of an endpoint each together.

    ``desired``, ``connectivity``, ``expect``, ``toggle`` and ``switches`` (see :func:`of_switch`) are the policy's.
    """
    if desired not in KNOWN and toggle not in KNOWN:
        return [[Finding(HOST, "", "not_applicable", "telemetry_desired is %s" % desired)]]
    installations = state.get("installations") or []
    if not installations:
        looked = "; looked at: %s" % ", ".join(state["looked_at"]) if state.get("looked_at") else ""
        nothing = "no operations center or controller was found on this host"
        if expect == "present":
            return [
                [
                    Finding(
                        HOST,
                        "",
                        "unknown",
                        "%s, and telemetry_expect is present: so there is one that was not "
                        "recognised, or the inventory is wrong%s" % (nothing, looked),
                    )
                ]
            ]
        return [[Finding(HOST, "", "not_applicable", nothing + looked)]]
    return (
        [
            (of_installation(entry, desired) if desired in KNOWN else []) + of_toggle(entry, toggle)
            for entry in installations
        ]
        + [of_switch(entry, one) for entry in installations for one in (switches if desired in KNOWN else ())]
        + of_connectivity(state.get("connectivity") or [], connectivity if desired in KNOWN else "ignored")
    )
