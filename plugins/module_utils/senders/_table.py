# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of senders: what leaves a JVM of the product, by what it is known, and what turns it off.

docs/senders.md shows it. Pure. Private to this collection. Runs on the managed host (Python 3.6+, standard library
only) and on the control node.
"""

from typing import NamedTuple, Optional, Tuple

from ..java._jvm import PHONE_HOME, TELEMETRY, Switch

#: How sure a row is: seen by running it or in the source; an excerpt of the documentation; nobody knows.
MARKS = {"V": "seen in the source, or run", "E": "by the documentation", "?": "not known"}


class Sender(NamedTuple):
    """One who sends."""

    name: str
    #: In words, as a subject of sentences.
    words: str
    #: Ids of the plugins that are it; none for what is in the war.
    plugins: Tuple[str, ...]
    #: How it is recognised.
    known_by: str
    #: Switches that are no property, in words.
    setting: str
    #: Where it is read.
    read: str
    endpoint: str
    #: What would prove that it is off.
    proof: str
    mark: str
    switch: Optional[Switch] = None


USAGE_STATISTICS = Switch("hudson.model.UsageStatistics.disabled")
#: Its reader takes whatever is not "true" for false (HazelcastProperties.getBoolean); only "false" counts here. The
#: variable must be that very word (PhoneHome.java).
HAZELCAST = Switch("hazelcast.phone.home.enabled", "false", PHONE_HOME)

TABLE = (
    Sender(
        "analytics_plugin",
        "the analytics plugin",
        ("cloudbees-analytics",),
        "plugin cloudbees-analytics",
        "the product's own checkbox (unclassified.usageStatisticsCloudBees.usageStatisticsCollected)",
        "options of the JVM",
        "api.segment.io:443",
        "the flag, in the files, in what is loaded and in the JVM that runs",
        "V",
        TELEMETRY,
    ),
    Sender(
        "license_tracker",
        "the license tracker",
        ("cloudbees-license-tracker",),
        "plugin cloudbees-license-tracker",
        "none is known",
        "",
        "api.segment.io:443",
        "that the plugin is not there; whether the flag covers it is not known",
        "?",
    ),
    Sender(
        "core_usage_statistics",
        "core's usage statistics",
        (),
        "in every war",
        "jenkins.noUsageStatistics: true",
        "options of the JVM; $JENKINS_HOME/config.xml (servlet init parameters and CasC are not read)",
        "usage.jenkins.io:443, from the browser of an administrator",
        "the property on all clocks, or noUsageStatistics in config.xml where there is no CasC",
        "V",
        USAGE_STATISTICS,
    ),
    Sender(
        "core_telemetry",
        "core's telemetry (JEP-214)",
        (),
        "in every war since 2.143",
        "jenkins.noUsageStatistics: true; jenkins.telemetry.Telemetry.endpoint moves it, and turns nothing off",
        "as core's usage statistics",
        "uplink.jenkins.io:443, from the controller",
        "as core's usage statistics",
        "V",
        USAGE_STATISTICS,
    ),
    Sender(
        "hazelcast_phone_home",
        "Hazelcast's phone home",
        (),
        "a hazelcast*.jar in an unpacked plugin or in the unpacked war",
        "none is known",
        "options of the JVM; environment HZ_PHONE_HOME_ENABLED",
        "phonehome.hazelcast.com:443",
        "the variable on all clocks; not the property, because what the product's own code sets goes before it",
        "E",
        HAZELCAST,
    ),
    Sender(
        "unify",
        "the Unify integration",
        ("cloudbees-cbp-unify-integration", "cloudbees-cbp-unify-integration-oc"),
        "plugin cloudbees-cbp-unify-integration, -oc on an operations center",
        "no connection in the user interface",
        "",
        "CloudBees Unify, HTTPS",
        "that the plugin is not there",
        "E",
    ),
    Sender(
        "platform_insights",
        "platform insights",
        ("cloudbees-platform-insights",),
        "plugin cloudbees-platform-insights",
        "no accessKey in unclassified.insightConfiguration",
        "CasC",
        "HTTPS, name not known",
        "that the plugin is not there",
        "E",
    ),
    Sender(
        "health_advisor",
        "the health advisor",
        ("cloudbees-jenkins-advisor",),
        "plugin cloudbees-jenkins-advisor",
        "advisor.acceptToS is not true",
        "$JENKINS_HOME/com.cloudbees.jenkins.plugins.advisor.AdvisorGlobalConfiguration.xml (CasC is not read)",
        "HTTPS to CloudBees",
        "that the plugin is not there, or acceptToS is false in its file and there is no CasC",
        "V",
    ),
)
BY_NAME = {one.name: one for one in TABLE}
#: The switches of the table that are properties, but for the flag, by the name of the first sender that has it.
SWITCHES = {"core_usage_statistics": USAGE_STATISTICS, "hazelcast_phone_home": HAZELCAST}
