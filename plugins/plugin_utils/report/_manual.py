# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the manual says what a sentence of this collection means, and what to do: its entries, told by their words.

Sentences are for people and name files, lines and hosts, so an entry of docs/messages.md is found by what all sentences
of its kind have in common. The page of a report and the unit tests use the same table. Private to this collection; runs
on the control node.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import FAILURES

#: The page with all entries; an entry's name is its anchor.
PAGE = "https://github.com/cbops/telemetry/blob/main/docs/messages.md"


class Entry(NamedTuple):
    """A kind of sentence."""

    name: str
    #: What a sentence of this kind has in it: an expression that Python and a browser read alike.
    words: str


#: The first whose words are there is it: what is told of a part comes before what is told of the whole.
ENTRIES: tuple[Entry, ...] = (
    # -- why a host could not be asked: _failures has the sentences --------------------------------------------------
    *(Entry(f"failure-{failure.kind}", re.escape(failure.sentence).replace("\\ ", " ")) for failure in FAILURES),
    Entry(
        "host-limit", r"it did not answer within|the time for this host was used up|own deadline passed|used up its "
    ),
    Entry(
        "program-ended",
        r"the program on the host |no process could be made|was ended by signal |ended without an answer"
        r"|closed its end without",
    ),
    Entry("toggle-not-set", r"CloudBees' toggle is not set here|and others than root may write the folders on its way"),
    Entry("old-python", r"Python 3\.6 or newer is needed"),
    Entry(
        "answer-not-taken",
        r"its answer was not taken|is no answer|it gave no answer|its answer could not be judged"
        r"|the connection ended in the middle|its answer cannot be written",
    ),
    # -- what a run ends with -----------------------------------------------------------------------------------------
    Entry("inventory-unreadable", r"the inventory cannot be read|copy of the inventory cannot be written"),
    Entry("inventory-refused", r"the inventory is refused"),
    Entry("no-hosts", r"The inventory has no hosts that match"),
    Entry("variables-encrypted", r"encrypted variables cannot be read|the variables of .* cannot be read"),
    Entry("waivers-not-valid", r"waivers that are not valid"),
    Entry("not-one-for-the-fleet", r"counts for the whole fleet (is not the same|cannot be resolved)"),
    Entry("no-effect-there", r"telemetry_hosts has no effect where it is set"),
    Entry("report-not-possible", r"no (report|ledger) could be made"),
    Entry("facts-as-policy", r"set by facts of the host itself|facts of the host .* would set"),
    Entry(
        "policy-not-valid", r"policy is not valid|the policy of .* is not valid|its variables cannot be (resolved|used)"
    ),
    Entry("other-name", r"it has another name, under which it is acted on"),
    Entry("not-as-planned", r"it is not as planned|the host is not in the plan|what would be done now is not known"),
    Entry("plan-unreadable", r"the plan .* (cannot be read|is no JSON)|is no plan|its entry in the plan is damaged"),
    Entry("not-planned", r"it could not be planned|cannot be planned|the template .* cannot be rendered"),
    Entry(
        "not-filed",
        r"(evidence|plan|report|ledger|found out) cannot be written|history cannot be kept"
        r"|(manifest|attestation) (is not|could not be) signed",
    ),
    Entry(
        "no-evidence",
        r"no evidence was filed|its evidence file .* (is damaged|is gone|cannot be judged)|holds no evidence",
    ),
    Entry("evidence-not-verified", r"problems: |no file of allowed signers"),
    Entry("vanished", r"vanished"),
    Entry("drift-corrective", r"^drift: corrective"),
    Entry("drift-intended", r"^drift: intended"),
    Entry("evidence-too-old", r"its evidence is .* old, and may be "),
    Entry("evidence-not-of-this-run", r"its evidence file is not the one that this run has filed"),
    Entry("evidence-of-unknown-age", r"how old its evidence is, is not known"),
    Entry("clocks-apart", r"its clock and the control node's are "),
    Entry("evidence-from-the-future", r"its evidence is by its own time from"),
    Entry("policy-not-met", r"policy is not met, or not proven"),
    Entry(
        "option-not-valid",
        r"must be (one of|from|greater|between|a mapping)|must not be empty|it must be a day|is pipe, and"
        r"|needs its url|is no endpoint, such as|only plain HTTP proxies|sends no user and password"
        r"|neither direct nor configured|must be %s and at most|no absolute path|no number and no percentage"
        r"|is no moment such as|there is no installation|not installed here"
        r"|endpoints and paths are more than|an absolute path is needed|not an absolute path"
        r"|the run that is to be undone is needed|with_(flag|toggle): |is no age: |names no head|\(telemetry_\w+\): ",
    ),
    Entry("probe-expectation", r"^expected \S+ \(.*\) to be "),
    # -- undo, backups ------------------------------------------------------------------------------------------------
    Entry(
        "undo-changed-since",
        r"has edited it since|somebody (else )?has changed|somebody else has |left there is not recorded",
    ),
    Entry(
        "undo-no-record",
        r"nothing is known of run|keeps no backup by that run|there is no backup of it|is not a backup of it"
        r"|not the name of a backup|this run cannot undo itself",
    ),
    Entry("undo-not-whole", r"could not be undone|is not undone as a whole"),
    Entry("backup-not-trusted", r"its backup .* (is not root's|is damaged|lay beside)|it may be f"),
    Entry("old-backup-is-read", r"a backup of an earlier version, which each start"),
    Entry(
        "backup-not-kept",
        r"no backup can be kept|backups are kept where|backups must be kept there|too many backups"
        r"|backups cannot be listed|cannot be moved away",
    ),
    # -- edits --------------------------------------------------------------------------------------------------------
    Entry(
        "edit-by-hand",
        r"no edit was found that|so nothing is edited|is not edited here|(that|which) file is not edited"
        r"|its unit is gone|no live launch file is known|replacing it would part them",
    ),
    Entry(
        "edit-undone",
        r"after the edit |more than the flag would|would get more than the flag|the next start would be "
        r"|other files of this edit stay|old bytes could not be put back",
    ),
    Entry(
        "edit-another-run",
        r"another run has been editing|somebody else edits|somebody else made it meanwhile|cannot lock"
        r"|it cannot be locked",
    ),
    Entry("edit-link", r"symbolic link"),
    Entry(
        "not-roots-alone",
        r"is not root's alone|others than root can change it|it is not made root's as it is"
        r"|others than root could write",
    ),
    Entry("edit-not-kept", r"cannot be kept|outlasts a power cut|does not exist|not a folder"),
    Entry("edit-not-changed", r"\(nothing was changed\)$"),
    # -- restarts -----------------------------------------------------------------------------------------------------
    Entry(
        "restart-brings-more",
        r"would start something else|would not come up again|a restart of .* also brings|plugins are pending"
        r"|is a whole zip archive|is no whole zip archive|after (the JVM's|its) start|will be there"
        r"|are on another Java|it runs the Java of|it runs .*, the next start|was not planned"
        r"|whether its war is another one|is not there now",
    ),
    Entry("restart-window", r"outside of the maintenance window"),
    Entry("quiet-down", r"Restart to apply the telemetry policy"),
    Entry("restart-busy", r"is still busy after"),
    Entry("restart-url", r"its URL is not known|is not asked whether it serves"),
    Entry("restart-yourself", r"restart it yourself"),
    Entry(
        "restart-waits",
        r"not restarted: |Not restarted after that|which allows no more|telemetry_max_failures is"
        r"|services would be restarted",
    ),
    Entry(
        "restart-failed",
        r"no new JVM runs|does(not)? not stay up|did not stay up|does not become ready"
        r"|does not serve requests|could not be restarted|NOT AS WANTED|olled back|roll-back"
        r"|its JVM runs with telemetry|it does not run either",
    ),
    Entry(
        "coverage",
        r"launch files name|which does not have it|coverage: |min_coverage|operations centers were not audited"
        r"|where it belongs is not known|no operations center |as a percentage|the ledger cannot be written"
        r"|the ledger is of a part of the inventory|slice \(telemetry_slice\)"
        r"|is not in the inventory$|was audited, and no|and its verdict is|must be a list of names",
    ),
    Entry(
        "operations-center-not-asked",
        r"did not say which controllers|operations_centers, entry|operations? centers? is (named|not known)"
        r"|lists no controllers|all of them are not read|has an item in|validate_certs|list of controllers"
        r"|item of an odd name|folders deep in|it says in \S+ seconds",
    ),
    Entry(
        "controller-not-asked",
        r"does not come to the end of its answer|permission Overall/Manage|still quieted down"
        r"|with something else than was asked|answers no JSON| answers \{| answers what cannot be read"
        r"|must begin with http:// or https://|authority's \(|^(\{\}|https?://\S+) does not answer"
        r"|answers with more than \S+ bytes| leads to (a login page|\S+ \()|has no TLS",
    ),
    # -- the network --------------------------------------------------------------------------------------------------
    Entry("connectivity-path-unknown", r"which of the paths the plugin takes is not known"),
    Entry("connectivity-open", r"connectivity is (forbidden|%s), but "),
    Entry("connectivity-doubt", r"connectivity is forbidden, and whether"),
    Entry("connectivity-blocked", r"connectivity is (required|%s), but "),
    Entry("path", r": check |[^ ] succeeded! "),
    Entry(
        "not-probed",
        r"was not probed|there was no path to probe|excludes .* from its proxy"
        r"|the trust store of .* was not looked at|says of proxies is not known"
        r"|the proxy in proxy\.xml is not known",
    ),
    Entry("authority-unknown", r"Whether its authority is a public one is not known|list of public authorities"),
    Entry("java-disagrees", r"but a JVM with "),
    # -- verdicts -----------------------------------------------------------------------------------------------------
    Entry("second-sender", r"cloudbees-license-tracker"),
    Entry(
        "other-senders",
        r"note: (?:the flag does not cover|whether the flag covers it is not known): "
        r"|Segment client threads of the analytics plugin",
    ),
    Entry("switch-not-looked-at", r"was not looked at\Z"),
    Entry("neither-true-nor-false", r"its value is neither \w+ nor \w+"),
    Entry("variable-of-its-starter", r"whoever starts it may have set"),
    Entry("down", r"(note: it is|it is) down: |its unit has failed|ends again and again"),
    Entry("waived", r"^waived until"),
    Entry("waiver-ran-out", r"the waiver ran out on"),
    Entry("waiver-warning", r"the waiver runs out on|is not needed any more"),
    Entry("unmanaged", r"telemetry_desired is unmanaged"),
    Entry("controller-expected", r"telemetry_expect is present"),
    Entry("nothing-found", r"no operations center or controller was found"),
    Entry("flag-without-effect", r" in \S+ has no effect \("),
    Entry("flag-not-as-wanted", r" is not in .*; |sets .* to another value than|turns .* off; "),
    Entry("reload-owed", r"daemon-reload (and then|is owed|is needed)|older unit loaded"),
    Entry("restart-owed", r"restart of .* (is|are) owed|a restart is owed"),
    Entry("not-running", r"not running; its next start has"),
    Entry("running-differs", r"the running JVM has "),
    # -- the host, its service manager --------------------------------------------------------------------------------
    Entry(
        "file-system-silent",
        r"file system( at .*)? does not answer|was not asked: others do not answer"
        r"|a link leads to does not answer|its file system does not answer|that does not answer",
    ),
    Entry("no-systemd", r"no systemd runs here that could be asked"),
    Entry(
        "service-manager-silent",
        r"the service manager (did not answer|gave an answer)|busctl cannot|did not read the units again",
    ),
    Entry("container", r"whose image and environment decide|starts a container|whose image decides"),
    Entry("image", r"is inspected as an image|processes of an image"),
    Entry("supervisor", r"supervisord has read|supervisorctl update makes it"),
    Entry("unit-masked", r"is masked"),
    Entry("unit-refused", r"the unit cannot start|systemd refuses the unit|it has no ExecStart="),
    Entry(
        "unit-other-files",
        r"shows (the service|what it starts) other files|the service sees|others than root may change"
        r"|Root(Image|Directory)=",
    ),
    Entry(
        "made-before-start",
        r"made anew before it starts|which may be written before|which may write its"
        r"|may write .* before it is read",
    ),
    Entry(
        "manager-environment",
        r"set-environment|environment of the service manager|service manager was started with"
        r"|sets variables for all services|PAMName=|PAM configuration|a login shell reads",
    ),
    Entry("specifier", r"specifier|%H:"),
    Entry("environment-file", r"EnvironmentFile"),
    Entry("unit-not-read", r"unit cannot be read|systemd does not read"),
    Entry("unit-runs-other", r"the JVM that runs in the unit is not what its files start"),
    # -- running JVMs -------------------------------------------------------------------------------------------------
    Entry(
        "processes-hidden",
        r"hidepid|not looked at, and may run|processes? .* not looked at|processes cannot be listed"
        r"|processes were not|call themselves java|JVMs on %d more wars|more JVMs on a war run here"
        r"|JVMs run here|processes run here|what they have (mapped|open) could not",
    ),
    Entry("build", r"as part of a build|in the environment of a build"),
    Entry("processes-disagree", r"processes .* disagree"),
    Entry("no-jvm-seen", r"none of them is seen to be a JVM"),
    Entry("belongs-to-nobody", r"belongs? to no installation|that no installation owns|was found that (starts|says)"),
    Entry(
        "jvm-not-asked",
        r"the JVM was not asked|only root and its own user|OpenJ9|no HotSpot JVM|is not its socket"
        r"|another process listens|not its user's|we cannot become its user|SIGQUIT"
        r"|its /tmp cannot be opened|of another namespace|does not belong to its user|no file can be made in"
        r"|it cannot be asked",
    ),
    Entry(
        "jvm-silent",
        r"the JVM was asked|it did not answer|no answer|jcmd |it is stopped, so|answered with an error"
        r"|holds no Java properties|its answer is too long",
    ),
    Entry(
        "process-not-read",
        r"it ended while it was|its command line|its environment|it was not started by java"
        r"|it cannot be looked at|no btime in",
    ),
    # -- the launch files ---------------------------------------------------------------------------------------------
    Entry("several-jvms", r"several JVMs|they do not agree"),
    Entry("condition", r"depends on a condition|is not known, because|branch that is not taken"),
    Entry("options-elsewhere", r"the JVM reads more|may set options, and"),
    Entry("tomcat", r"Tomcat"),
    Entry("script-argument", r"it wants an argument"),
    Entry(
        "script-missing",
        r"the launch script is missing|no readable shell script|no #! line|nobody may execute it"
        r"|holds a carriage return",
    ),
    Entry("no-java-command", r"was found|no 'java |ExecStart= breaks off|what its program starts is not known"),
    Entry("whoever-logs-in", r"whoever may log in"),
    Entry("template-unit", r"no instance of it is enabled"),
    Entry(
        "start-not-known",
        r"what it starts is not known|whether on a CloudBees or Jenkins war|would start is not all looked at"
        r"|it is not followed|would start more than",
    ),
    Entry("sourced-file", r"it sources |files source each other|an interactive shell reads|BASH_ENV"),
    Entry(
        "limit",
        r"more than (%d|\{\}|\d+)|too deeply|too long|grows too|larger than|too many|too much"
        r"|more memory than|its time is over|a loop without an end",
    ),
    Entry(
        "variable-not-known",
        r"comes from the environment of|set when the script|may be set before|is read from input|by getopts"
        r"|set in a loop|is set for one command|array|read-only|is not known before the start"
        r"|PassEnvironment|folder of variables|who called the script|a home directory"
        r"|of a name that is not known",
    ),
    Entry(
        "output-not-known",
        r"the output of|command substitution|process substitution|the content of|what xargs makes|arithmetic"
        r"|brace expansion|the folder of a script|which files '|which files",
    ),
    Entry(
        "shell-construct",
        r"alias|changes (variables|what an|how the)|IFS is changed|';;&'|a pattern with|'trap'|'shift'"
        r"|number of loops|a variable that is local|joins its words|wants a password"
        r"|what that reads is not followed|it was not followed to one|a property of the environment"
        r"|prints may be started",
    ),
    Entry(
        "shell-syntax",
        r"expected |unexpected |unfinished |NUL byte|without a body|no name for a function|in dash"
        r"|file descriptor|not supported|behind an array|no valid shell text|shells may read differently"
        r"|more than one expression",
    ),
    Entry("starter", r"starts it: |by hand: "),
    # -- what has no effect, and what the product says --------------------------------------------------------------
    Entry(
        "dead-mention",
        r"it is a comment|nothing that starts the service reads|the launcher reads|a later assignment of"
        r"|not among the options|overridden by|whether it is read is not known",
    ),
    Entry(
        "events-not-served",
        r"first link of the help|the page behind the link|help of CloudBees' checkbox|page with the checkboxes"
        r"|page takes too long|page is no HTML|the page has a tag",
    ),
    Entry(
        "event-not-known",
        r"no field is annotated|is no constant|its constant is no text|com\.cloudbees\.analytics|name of an event",
    ),
    Entry(
        "archive-not-read",
        r"constant of an unknown kind|begin as a class|a constant is not what|value of an unknown kind|it is cut$"
        r"|Java does not read|it cannot be unpacked|its checksum is|where the directory says|plugins could not be read"
        r"|time for reading archives|than an answer holds|more files in it were not read|than are looked at"
        r"|the product ignores it|the plugin is disabled|the war brings it|no installation owns are not read",
    ),
    Entry(
        "toggle-not-as-wanted",
        r"CloudBees' toggle is|CloudBees' telemetry is sent|off (twice|by the (JVM|toggle))"
        r"|toggle on and JVM|toggle off and",
    ),
    Entry(
        "toggle-not-known",
        r"whether CloudBees' toggle|configuration as code|name is inferred|files match \*|would be told is not known"
        r"|the toggle is not known|neither the toggle|the page names|its export and its page|read for the toggle"
        r"|a negated one",
    ),
    Entry("setting-absent", r"there is no proxy\.xml|or \.hpi is there|the home has no plugins|not set: core sends"),
    Entry(
        "setting-not-read",
        r"manifest|zip|noUsageStatistics|noProxyHost|which war is started|JENKINS_HOME|unpacked"
        r"|linked for development|its war could not be read|document type|well-formed|a broken archive"
        r"|its end is cut|its 64-bit end|its directory|entries are not|an entry|holds nothing|it is empty"
        r"|broken or encrypted|not in the archive|time for all homes",
    ),
    Entry(
        "controllers-not-read",
        r"a link, which is not followed|not all of its options are known|cut off: |more than \d+ folders in folders"
        r"|not the same in every way to start it|with another name or address|no value of a form that is shown",
    ),
    Entry(
        "trust-store", r"certificates|certificate is in it|trust store|a broken store|JKS|names are in it|TLS cannot"
    ),
    # -- the proof of the next start ----------------------------------------------------------------------------------
    Entry(
        "prove-refused",
        r"is not copied|has not loaded the unit|the unit has no file|could be started is known"
        r"|words of its command|who has a name|nothing bounds its processes|overlay|namespaces|second time"
        r"|nothing could be proved|kept apart|own program was not found|that bounds it|ctypes|systemd is "
        r"|never tried on|in check mode nothing",
    ),
    Entry(
        "prove-failed",
        r"no JVM was started|JVM gets no program|second service manager|java is started again"
        r"|systemd does not load the unit|it was not ready|systemd could not set up|it did not start in time"
        r"|it ended|did not end|was ended by the signal",
    ),
    # -- the whole, where no part says more ---------------------------------------------------------------------------
    Entry("state-not-read", r"its state could not be read|its state afterwards|the state of this host"),
    Entry(
        "file-not-read",
        r"not a regular file|no regular file|file of the kernel's|/proc (is not mounted|leads)|several names"
        r"|another file system|a link of somebody|link that is not root's|a link leads out|run with become"
        r"|cannot be read|could not be read|changed while this host|it is not there|no private folder for locks",
    ),
    Entry("no-reason", r"no reason was given"),
    Entry("not-enforced", r"it could not be enforced"),
    Entry("on-disk-unresolvable", r"what the next start would do cannot be resolved"),
    Entry("next-start-unknown", r"what is loaded for its next start is not known"),
    Entry("running-unknown", r"the running value is not known"),
    Entry("no-answer", r"the host did not answer"),
)


def entry_of(sentence: str) -> str | None:
    """The name of the entry that a sentence has in the manual; None where it has none."""
    return next((entry.name for entry in ENTRIES if re.search(entry.words, sentence)), None)
