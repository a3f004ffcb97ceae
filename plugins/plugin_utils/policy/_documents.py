# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of a host as types: its state, the probe's answers, its evidence. Private to this collection.

docs/schema says the same, and which texts and numbers may stand there; a test holds the two together. A class whose
name begins with an underscore has the members that may be left out.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Clock = Literal["disabled", "enabled", "unresolvable"]
#: One of those in the table of outcomes, and in that of verdicts.
Outcome = str
Verdict = str
#: How an event is known.
Mark = Literal["seen", "candidate", "unknown"]

# -- the state of a host: docs/schema/state-1.json --------------------------------------------------


class _HostMay(TypedDict, total=False):
    machine: str | None
    time: int


class Host(_HostMay):
    """Who was asked."""

    root: str
    effective_user: int
    node: str | None


class Detail(TypedDict, total=False):
    """Why a clock shows what it shows."""

    reason: str
    file: str
    line: int


class Launch(TypedDict):
    """The live launch file, and who reads it."""

    file: str
    variable: str | None
    reader: Literal["shell", "Environment", "EnvironmentFile", "command line"]


class _DeclarationMay(TypedDict, total=False):
    reason: str


class Declaration(_DeclarationMay):
    """A mention of the flag, live or dead."""

    file: str
    line: int
    variable: str | None
    value: str
    live: bool


class _ProcessMay(TypedDict, total=False):
    reason: str
    stale: str
    started_by: str
    container: Literal[True]


class Process(_ProcessMay):
    """A JVM, and what it runs with."""

    pid: int
    started: str
    value: str | None
    state: Literal["disabled", "enabled", "unknown"]
    source: str | None
    proof: Literal["jcmd", "attach", "cmdline+environ"] | None


class UnitState(TypedDict):
    """What the service manager says of a unit."""

    active: str
    sub: str
    result: str
    restarting: bool


class Proxy(TypedDict):
    """What a home's proxy.xml says."""

    host: str
    port: int
    no_proxy: list[str]
    authenticated: bool


class _SettingDetailMay(TypedDict, total=False):
    pinned: bool
    file: str
    reason: str


class SettingDetail(_SettingDetailMay):
    """Where a setting was seen, or why not."""

    state: Literal["seen", "enabled", "disabled", "absent", "unknown"]


class Settings(TypedDict):
    """What lies in a JENKINS_HOME."""

    analytics_plugin: str | None
    license_tracker_plugin: str | None
    no_usage_statistics: bool | Literal["unknown"] | None
    product_version: str
    proxy: Proxy | Literal["unknown"] | None
    details: dict[str, SettingDetail]


class _SwitchProcessMay(TypedDict, total=False):
    reason: str


class SwitchProcess(_SwitchProcessMay):
    """A JVM, and what it runs with of a switch."""

    pid: int
    value: str | None
    state: Literal["disabled", "enabled", "unknown"]
    source: str | None
    proof: Literal["jcmd", "attach", "cmdline+environ"] | None


OffValue: TypeAlias = Literal["true", "false", "1", "0", "yes", "no", "on", "off"]


class _SwitchMay(TypedDict, total=False):
    kind: Literal["environment"]


class Switch(_SwitchMay):
    """A property beside the flag, or a variable of the environment, on the three clocks."""

    name: str
    off_value: OffValue
    on_disk: Clock
    on_disk_detail: Detail
    next_start: Clock
    next_start_detail: Detail
    running: Literal["disabled", "enabled", "mixed", "not_running", "unknown"]
    running_detail: Detail
    processes: list[SwitchProcess]
    declarations: list[Declaration]


class Sender(TypedDict):
    """One of the table of senders, in one installation."""

    name: str
    presence: Literal["present", "absent", "unknown"]
    version: str | None
    state: Literal["on", "off", "absent", "unknown"]
    proof: str
    covered: bool | None


class _SegmentThreadsMay(TypedDict, total=False):
    analytics_plugin: int
    others: int
    reason: str


class SegmentThreads(_SegmentThreadsMay):
    """Threads of a JVM that are in a client of Segment's."""

    pid: int


class Brought(TypedDict):
    """What a restart would start beside the flag."""

    kind: Literal["war", "java", "unit", "plugins", "launch", "broken", "unknown"]
    what: str


class _MemberMay(TypedDict, total=False):
    reason: str


class Member(_MemberMay):
    """The operations center that a controller's options name."""

    operations_center: str | None
    name: str | None
    endpoint: str | None
    index: str | None
    source: Literal["next_start", "running"]


class _ControllerMay(TypedDict, total=False):
    encoded_name: str
    index: str
    approved: bool
    state: str


class Controller(_ControllerMay):
    """A controller as it lies on the disk of its operations center."""

    name: str
    kind: Literal["client", "managed", "connected"]
    endpoint: str | None


class _ControllersMay(TypedDict, total=False):
    file: str
    url: str
    reason: str


class ControllersDetail(_ControllersMay):
    """How far the controllers of an operations center are known."""

    state: Literal["seen", "incomplete", "unknown"]


class _EventMay(TypedDict, total=False):
    summary: str
    events: list[str]
    retention: Literal["RUNTIME", "CLASS"]
    reason: str


class Event(_EventMay):
    """An event, a property, or what may be one of them."""

    kind: Literal["event", "property", "candidate"]
    name: str | None
    mark: Mark
    field: str
    file: str


class _PluginMay(TypedDict, total=False):
    reason: str
    note: str


class Plugin(_PluginMay):
    """A plugin that has to do with events."""

    plugin: str
    version: str
    file: str
    mark: Mark
    events: list[Event]


class Unread(TypedDict):
    """A file that was not read."""

    file: str
    reason: str


class _ListedMay(TypedDict, total=False):
    summary: str


class Listed(_ListedMay):
    """An event as the product itself lists it."""

    name: str


class _EventsServedMay(TypedDict, total=False):
    page: str
    reason: str


class EventsServed(_EventsServedMay):
    """What the product itself lists."""

    mark: Literal["seen", "unknown"]
    events: list[Listed]


class _EventsMay(TypedDict, total=False):
    reason: str
    served: EventsServed


class Events(_EventsMay):
    """What the plugins of an installation say they can send."""

    mark: Mark
    archives: int
    classes: int
    plugins: list[Plugin]
    unread: list[Unread]


class _TogglePlaceMay(TypedDict, total=False):
    file: str
    line: int
    reason: str
    mark: Literal["inferred name", "seen name", "export", "page"]
    pending: Literal[True]
    ours: Literal[True]
    elsewhere: Literal[True]


class TogglePlace(_TogglePlaceMay):
    """What one place says of CloudBees' checkbox; None where it says nothing."""

    collected: bool | Literal["unknown"] | None


class _ToggleMay(TypedDict, total=False):
    served: TogglePlace


class Toggle(_ToggleMay):
    """CloudBees' checkbox: what is declared as code, what lies on disk, and what the product serves."""

    declared: TogglePlace
    on_disk: TogglePlace


class _InstallationMay(TypedDict, total=False):
    events: Events
    toggle: Toggle
    member_of: Member
    controllers: list[Controller]
    controllers_detail: ControllersDetail
    home_share: str | None
    unit_state: UnitState | None
    started_by: str | None
    stray: Literal[True]
    restart_brings: list[Brought]
    switches: list[Switch]
    senders: list[Sender]
    segment_threads: list[SegmentThreads]


class Installation(_InstallationMay):
    """One installation of a host, and its three clocks."""

    name: str
    product: Literal["operations_center", "controller", "jenkins", "unknown"]
    packaging: Literal["rpm", "deb", "systemd", "tomcat", "script", "container"]
    service: str | None
    home: str | None
    launch: Launch | None
    declarations: list[Declaration]
    on_disk: Clock
    on_disk_detail: Detail
    next_start: Clock
    next_start_detail: Detail
    daemon_reload_owed: bool
    processes: list[Process]
    running: Literal["disabled", "enabled", "mixed", "not_running", "unknown"]
    running_detail: Detail
    settings: Settings


class Address(TypedDict):
    """One address of an endpoint, and what came of it."""

    address: str
    family: Literal["IPv4", "IPv6"]
    outcome: Outcome
    tcp_ms: float | None


class Phases(TypedDict):
    """Milliseconds; None for a phase that was not reached."""

    dns: float | None
    tcp: float | None
    proxy_connect: float | None
    tls: float | None
    http: float | None


class Tls(TypedDict):
    """What the peer presented."""

    version: str | None
    issuer: str | None
    not_after: str | None
    trusted: bool | None
    authority: Literal["public", "private", "unknown"]
    anchor: str | None


class JavaTrust(TypedDict):
    """Whether a JVM's own trust store takes the peer."""

    store: str
    trusted: bool | None
    reason: str | None


class Http(TypedDict):
    """The answer to HEAD."""

    status: int


class Samples(TypedDict):
    """Several attempts together; evidence has no numbers."""

    count: int
    connected: int | None
    loss_percent: float | None
    p50_ms: float | None
    max_ms: float | None
    outcomes: dict[str, int]


class Answer(TypedDict):
    """What the probe says of one path to an endpoint."""

    target: str
    via: str
    configured_by: list[str]
    outcome: Outcome
    address: str | None
    addresses: list[Address]
    phases_ms: Phases
    tls: Tls | None
    java: list[JavaTrust]
    http: Http | None
    samples: Samples | None
    findings: list[str]
    message: str


class _StateMay(TypedDict, total=False):
    looked_at: list[str]


class State(_StateMay):
    """The state of a host."""

    schema: Literal["cbops.telemetry/state/1"]
    host: Host
    installations: list[Installation]
    connectivity: list[Answer]
    warnings: list[str]


# -- its evidence: docs/schema/evidence-1.json ------------------------------------------------------


class WaiverDocument(TypedDict):
    """A waiver."""

    until: str
    reason: str
    approved_by: str
    ticket: str | None


class _SwitchPolicyMay(TypedDict, total=False):
    kind: Literal["environment"]


class SwitchPolicy(_SwitchPolicyMay):
    """A property beside the flag, or a variable of the environment, that is policy."""

    name: str
    desired: Literal["disabled", "enabled"]
    off_value: OffValue


class _PolicyMay(TypedDict, total=False):
    expect: Literal["present"]
    toggle: Literal["disabled", "enabled"]
    switches: list[SwitchPolicy]


class PolicyDocument(_PolicyMay):
    """The policy that a host was held against."""

    desired: Literal["disabled", "enabled", "unmanaged"]
    connectivity: Literal["required", "forbidden", "ignored"]
    restart: Literal["never", "when_idle", "now"]
    waiver: WaiverDocument | None


class Evidence(TypedDict):
    """All that is filed of a host."""

    schema: Literal["cbops.telemetry/evidence/1"]
    host: str
    policy: PolicyDocument | None
    state: State | None
    error: str | None
    verdict: Verdict
    reasons: list[str]
    warnings: list[str]
    posture: str | None


def installations_of(document: Evidence) -> list[Installation]:
    """The installations in evidence, none where there is no state."""
    state = document.get("state")
    return (state.get("installations") or []) if state else []


def answers_of(document: Evidence) -> list[Answer]:
    """The probe's answers in evidence, none where there is no state."""
    state = document.get("state")
    return (state.get("connectivity") or []) if state else []
