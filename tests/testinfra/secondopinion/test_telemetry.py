"""What a host really runs, against the policy in the inventory. One look per host, then these sentences."""

from __future__ import annotations

import pytest

from .compare import contradictions, running
from .facts import ABSENT, ENDPOINT, PORT, TRUE, UNKNOWN, option_names
from .node import OPTION, writers


def test_the_host_answers_and_lets_itself_be_read(node):
    node.look()


def test_the_next_start_follows_the_policy(node):
    """Reads what the service manager would start: launcher, the variable it reads, the file that sets it."""
    facts = node.managed()
    problems, advice, about = [], [], []
    for one in facts.installations:
        place = _place(one)
        if one.flag == UNKNOWN:
            problems.append(f"{one.name}: whether the next start sends telemetry cannot be known: {one.why}")
            advice.append(f"make the options of {one.name} plain text that does not depend on a running shell")
        elif node.policy.desired == "disabled" and one.flag != TRUE:
            how = "is not set" if one.flag == ABSENT else "is set, but not to 'true'"
            problems.append(f"{one.name}: the next start would send telemetry: the flag {how} in {place}")
            for file, line, variable in one.dead:
                problems.append(
                    f"{one.name}: {file}:{line} has the flag in {variable or 'a place'} where it changes nothing"
                    f" (the launcher reads {place})"
                )
            drop_in = " (in a drop-in, beside what is there)" if one.file.startswith(("/lib/", "/usr/lib/")) else ""
            advice.append(f"enforce the policy, or add {OPTION} to {place}{drop_in}; then restart {one.name}")
        elif node.policy.desired == "enabled" and one.flag == TRUE:
            problems.append(f"{one.name}: the next start would not send telemetry: the flag is set in {place}")
            advice.append(f"enforce the policy, or take {OPTION} out of {place}; then restart {one.name}")
        else:
            continue
        about.append(one)
    for one in facts.processes if facts.installations else []:
        if one.homeless:
            kinds = f" in a namespace of its own ({', '.join(one.apart)})" if one.apart else ""
            problems.append(
                f"process {one.pid} runs a product{kinds}, and what starts it was not found: its next "
                "start cannot be known"
            )
            advice.append("find out who starts it; name its launch script in telemetry_launch_scripts, if it has one")
    if not facts.installations:
        problems.append("a product runs here, but no service or script that starts it was found")
        advice.append("name its launch script in telemetry_launch_scripts")
    node.verdict(problems, advice, about)


def test_the_service_manager_has_loaded_what_is_on_disk(node):
    facts = node.managed()
    about = [one for one in facts.installations if one.reload_owed]
    node.verdict(
        [f"{one.name}: systemd works with an old state: {one.reload_owed}" for one in about],
        ["run systemctl daemon-reload, and restart the service where the policy allows"],
        about,
    )


def test_every_running_jvm_follows_the_policy(node):
    """Reads /proc: the arguments and the three environment variables that a JVM takes options from."""
    facts = node.managed()
    if not facts.processes:
        pytest.skip("none of its JVMs runs")
    problems, about = [], []
    for one in facts.processes:
        name = f"process {one.pid}" + (f" ({one.service})" if one.service else "")
        name += f" in a namespace of its own ({', '.join(one.apart)})" if one.apart else ""
        if one.flag == UNKNOWN:
            problems.append(f"{name}: whether it sends telemetry cannot be known: {one.why}")
        elif node.policy.desired == "disabled" and one.flag != TRUE:
            layer = f": {one.layer} sets the flag, but not to 'true'" if one.layer else ": it runs without the flag"
            problems.append(f"{name} sends telemetry{layer}")
        elif node.policy.desired == "enabled" and one.flag == TRUE:
            problems.append(f"{name} does not send telemetry: {one.layer} sets the flag")
        else:
            continue
        about += [it for it in facts.installations if it.name == one.service and it not in about]
    next_start = {one.name: one.flag == TRUE for one in facts.installations}
    right = next_start and all(value == (node.policy.desired == "disabled") for value in next_start.values())
    node.verdict(
        problems,
        [
            "restart the service: its launch file is right, the process is older"
            if right
            else "first the launch file (see the test of the next start), then restart the service"
        ],  # fmt: skip
        about,
    )


def test_other_switches_follow_the_policy(node):
    """telemetry_switches: properties of other senders, of the next start and of what runs."""
    if not node.look() or not node.policy.switches:
        pytest.skip("telemetry_switches names nothing that is policy")
    problems, advice = [], []
    for switch in node.policy.switches:
        if switch.environment:
            told = [
                (one, None if one.environment is None else switch.is_off(one.environment.get(switch.name)))
                for one in node.managed().processes
            ]
            for one, is_off in told:
                what = f"process {one.pid}" + (f" ({one.service})" if one.service else "")
                if is_off is None:
                    problems.append(f"{what}: whether {switch.option} counts in its environment cannot be known")
                elif is_off != (switch.desired == "disabled"):
                    problems.append(f"{what} {'has' if is_off else 'does not have'} {switch.option} in its environment")
            advice.append(f"{'set' if switch.desired == 'disabled' else 'take out'} {switch.option}; then restart")
            continue
        found = node.managed().switches[switch.name]
        told = [(f"{one.name}: the next start", one.flag, one.why) for one in found.installations]
        told += [
            (f"process {one.pid}" + (f" ({one.service})" if one.service else ""), one.flag, one.why)
            for one in running(found, switch)
        ]
        for what, flag, why in told:
            if flag == UNKNOWN:
                problems.append(f"{what}: whether {switch.option} counts cannot be known: {why}")
            elif (flag == TRUE) != (switch.desired == "disabled"):
                problems.append(f"{what} {'has' if flag == TRUE else 'does not have'} {switch.option}")
        advice.append(f"{'add' if switch.desired == 'disabled' else 'take out'} {switch.option}; then restart")
    node.verdict(problems, advice, [])


def test_the_toggle_follows_the_policy(node):
    """CloudBees' own checkbox: what configuration as code declares, and what lies on disk. Nobody is asked for it."""
    found = node.look()
    if node.policy.toggle == "unmanaged":
        pytest.skip("telemetry_toggle is unmanaged")
    if not found.installations and not found.processes:
        pytest.skip("no operations center, controller or Jenkins was found on this host")
    wanted = node.policy.toggle == "enabled"
    problems, advice = [], []
    for path, home in found.homes.items():
        if home.declared.value == UNKNOWN:
            problems.append(f"{path}: what the next start sets the toggle to cannot be known: {home.declared.why}")
        elif home.declared.value is not None and home.declared.value != wanted:
            turns = "on" if home.declared.value else "off"
            problems.append(f"{path}: the next start or reload turns the toggle {turns}: {home.declared.place}")
            advice.append("set unclassified.usageStatisticsCloudBees.usageStatisticsCollected where the bundle is made")
        if home.on_disk.value == UNKNOWN:
            problems.append(f"{path}: whether the toggle is on cannot be known: {home.on_disk.why}")
        elif home.on_disk.value != wanted:
            problems.append(f"{path}: the toggle is {'on' if home.on_disk.value else 'off'}: {home.on_disk.place}")
            advice.append("Manage Jenkins, System, Usage Statistics; or reload the bundle")
    if not found.homes:
        problems.append("whether the toggle is on cannot be known: no JENKINS_HOME was found")
    node.verdict(problems, advice, [])


def test_what_the_audit_says_is_what_is_seen_here(node):
    """Toggle, senders and events of a report, against what is read here by other code. What one of them cannot know is
    no contradiction."""
    if node.audited is None:
        pytest.skip("no --telemetry-report")
    found = node.look()
    if not node.audited:
        node.verdict([f"{node.name} is not in the report"], ["audit it"], [], waivable=False)
    every = (node.audited.get("state") or {}).get("installations")  # None: the audit does not say what is there
    entries = [one for one in every or [] if one.get("home")]
    homes = {home.path: home for home in found.homes.values()}
    unmatched = [path for path in homes if path not in {one["home"].rstrip("/") for one in entries}]
    problems = []
    # One whose home the audit does not know may be any of those here.
    if every is not None and len(unmatched) > len(every) - len(entries):
        problems += [f"{path}: the report knows of no installation there" for path in unmatched]
    if every == [] and not problems and (found.installations or found.processes):
        problems.append("the report has no installation on this host, and here is one")
    for entry in entries:
        home = homes.get(entry["home"].rstrip("/"))
        if home is None and entry.get("service"):
            problems.append(f"{entry['home']}: the report has an installation there, and none was found here")
        elif home is not None:
            problems += [f"{home.path}: {one}" for one in contradictions(entry, home, found, node.policy.events)]
    node.verdict(
        problems,
        ["one of the two is wrong, or it changed after the audit: audit again; if it stays, report it"],
        [],
        waivable=False,  # which host may send is waived, not which tool may be wrong
    )


def test_nobody_else_can_change_what_is_launched(node):
    """Files belong to root. A script that a service account runs may be that account's own; nobody else's."""
    facts = node.managed()
    problems = []
    for one in facts.installations:
        for path in one.files:
            file = facts.files.get(path)
            if file is None or file.stat is None:
                continue
            own = not path.startswith(("/etc/", "/lib/", "/usr/", "/run/"))
            accounts = {"root", one.account} if own else {"root"}
            groups = {"root", one.group} if own and one.account != "root" else {"root"}
            problems += writers(file.stat, accounts, groups, path)
            for folder in file.folders:
                problems += writers(folder, accounts, groups, f"the folder of {path}")
    node.verdict(
        list(dict.fromkeys(problems)),
        ["give the file to root and take write permission from others (chown root, chmod go-w); the group may stay"],
        [],
    )


def test_the_name_of_segment_resolves_where_it_is_required(node):
    network = node.look().network
    if node.policy.connectivity != "required":
        pytest.skip(f"telemetry_connectivity is {node.policy.connectivity}")
    node.verdict(
        [] if network.resolve_rc == 0 and network.addresses else [f"{ENDPOINT} does not resolve on this host"],
        [f"look at /etc/resolv.conf and ask the network team for the name {ENDPOINT}"],
        [],
    )


WORDS = {
    "refused": "the connection is refused",
    "timeout": "there is no answer",
    "blocked": "the network refuses it",
    "unreachable": "this host has no route to it",
    "no_such_name": "the name does not exist",
    "resolver_failed": "the name server does not answer",
    "no_tool": "neither bash with timeout nor nc is there to try it",
    "failed": "the attempt failed without a known reason",
}
SHOWN = {"refused", "timeout", "blocked", "no_such_name"}  # somebody else said no: that is a proof of "forbidden"


def test_port_443_of_segment_is_reached_where_required_and_not_where_forbidden(node):
    """The direct way, without a proxy."""
    network = node.look().network
    if node.policy.connectivity == "ignored":
        pytest.skip("telemetry_connectivity is ignored")
    problems, advice = [], []
    if node.policy.connectivity == "required" and network.outcome != "connected":
        problems.append(f"{ENDPOINT} port {PORT} is not reached: {WORDS.get(network.outcome, network.outcome)}")
        advice.append(f"try `nc -zv {ENDPOINT} {PORT}` on the host, and ask the network team for this way out")
    elif node.policy.connectivity == "forbidden" and network.outcome == "connected":
        problems.append(f"{ENDPOINT} port {PORT} is reached, and the policy forbids it")
        advice.append("close this way out in the firewall; the flag alone does not close it")
    elif node.policy.connectivity == "forbidden" and network.outcome not in SHOWN:
        why = WORDS.get(network.outcome, network.outcome)
        problems.append(f"that {ENDPOINT} port {PORT} is closed cannot be shown: {why}")
        advice.append("a failure of this host itself proves nothing about the network: repair it and look again")
    node.verdict(problems, advice, [])


def _place(one) -> str:
    names = " or ".join(option_names(one.variables))
    return f"{names} of {one.file}" if names else one.file or one.name
