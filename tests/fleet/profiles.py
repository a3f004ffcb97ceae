"""Which hosts the fleets have, which products there are, and what happened on a host before the first audit.

Data only. A kind of host = one product, installed in one way.
"""

import machine

FLAG = "com.cloudbees.analytics.gatherer.Sender.disabled"
SEGMENT = "api.segment.io"

# Debian release -> its Java. (OpenJDK 11 of bullseye would do as well; 17 is what the product asks for.)
JRE = {
    "bullseye": "openjdk-17-jre-headless",
    "bookworm": "openjdk-17-jre-headless",
    "trixie": "openjdk-21-jre-headless",
    # Ubuntu, untested
    "jammy": "openjdk-17-jre-headless",
    "noble": "openjdk-21-jre-headless",
    "resolute": "openjdk-25-jre-headless",
}


def cloudbees(name, packaging, **more):
    """What the two traditional packages of CloudBees CI have in common."""
    folder, variable = {"deb": ("default", "JAVA_ARGS"), "rpm": ("sysconfig", "JENKINS_JAVA_OPTIONS")}[packaging]
    share = "share" if packaging == "deb" else "lib"
    return dict(
        {
            "package": name,
            "packaging": packaging,
            "service": name + ".service",
            "user": name,
            "product": "operations_center" if name.endswith("-oc") else "controller",
            "title": "CloudBees CI " + ("Operations Center" if name.endswith("-oc") else "Controller"),
            "port": 8888 if name.endswith("-oc") else 8080,
            "launch_file": "/etc/%s/%s" % (folder, name),
            "variable": variable,
            "launcher": "/etc/init.d/" + name,
            "home": "/var/lib/" + name,
            "war": "/usr/%s/%s/%s.war" % (share, name, name),
            "version": "2.426.3.3",
        },
        **more,
    )


KINDS = {
    "oc-deb": cloudbees("cloudbees-core-oc", "deb"),
    "cm-deb": cloudbees("cloudbees-core-cm", "deb"),
    "oc-rpm": cloudbees("cloudbees-core-oc", "rpm", form="string"),
    "cm-rpm": cloudbees("cloudbees-core-cm", "rpm", form="string"),
    # one of the versions that take the array alone
    "cm-rpm-array": cloudbees("cloudbees-core-cm", "rpm", form="array", version="2.303.2.6"),
    "oss": {
        "package": "jenkins",
        "packaging": "systemd",
        "service": "jenkins.service",
        "user": "jenkins",
        "product": "jenkins",
        "title": "Jenkins",
        "port": 8080,
        "version": "2.426.3",
        "launch_file": "/lib/systemd/system/jenkins.service",
        "variable": "JAVA_OPTS",
        "launcher": "/usr/bin/jenkins",
        "home": "/var/lib/jenkins",
        "war": "/usr/share/java/jenkins.war",
    },
    "script": {
        "package": None,
        "packaging": "script",
        "service": "cloudbees-cm.service",
        "user": "cloudbees",
        "product": "controller",
        "title": "CloudBees CI Controller",
        "port": 8080,
        "launch_file": "/opt/cloudbees/cm/start.sh",
        "variable": None,
        "launcher": "/opt/cloudbees/cm/start.sh",
        "home": "/var/lib/cloudbees-cm",
        "war": "/opt/cloudbees/cm/cloudbees-core-cm.war",
    },
    # the war in Debian's Tomcat, with its own catalina.sh
    "tomcat": {
        "package": None,
        "packaging": "tomcat",
        "service": "tomcat10.service",
        "user": "tomcat",
        "product": "controller",
        "title": "CloudBees CI Controller",
        "port": 8080,
        "launch_file": "/var/lib/tomcat10/bin/setenv.sh",
        "variable": "CATALINA_OPTS",
        "launcher": "/usr/libexec/tomcat10/tomcat-start.sh",
        "home": "/var/lib/cloudbees-cm",
        "war": "/opt/cloudbees/cloudbees-core-cm.war",
    },
    # the internet
    "segment": {"package": None, "packaging": None, "service": "segment.service", "product": None, "port": 443},
    # more of the internet: what the probe can meet, see tests/probe_lab
    "internet": {"package": None, "packaging": None, "service": None, "product": None, "port": None},
}
# a controller with the tools that an administrator would probe with, and one that enforces itself from Git
KINDS["cm-deb-tools"] = dict(KINDS["cm-deb"])
KINDS["cm-deb-gitops"] = dict(KINDS["cm-deb"])
# beside systemd, what else starts programs
KINDS["oss-starters"] = dict(KINDS["oss"])
# the Git server with the policy
KINDS["git-server"] = dict(KINDS["internet"])
# a release as it is: what runs on it is what a test puts there
KINDS["plain"] = dict(KINDS["internet"])

# An administrator's drop-in on an OSS host: it replaces the vendor's whole JAVA_OPTS.
DROP_IN = (
    "/etc/systemd/system/jenkins.service.d/override.conf",
    '[Service]\nEnvironment="JAVA_OPTS=-Djava.awt.headless=true -Xmx64m"\n',
)


def host(name, release, kind, files=(), history=""):
    """files: put there before the first boot; history: a shell snippet, run as root once the JVM is up."""
    return dict(KINDS[kind], name=name, release=release, kind=kind, files=list(files), history=history)


def demo():
    # One release is enough for a demo. On Ubuntu it is the machine's own, from its own mirror (untested there).
    release = machine.os_release().get("VERSION_CODENAME", "jammy") if machine.is_ubuntu() else "bookworm"
    dead = (
        """
# Somebody followed a page written for the RPM. The launcher of the DEB reads JAVA_ARGS: this changes nothing.
printf '\\n# opt out of telemetry\\nJENKINS_JAVA_OPTIONS="-D%s=true"\\n' >>/etc/default/cloudbees-core-cm
"""
        % FLAG
    )
    owed = (
        """
# Somebody set the flag where it counts, and never restarted the service.
sed -i 's/^JENKINS_JAVA_OPTIONS="/&-D%s=true /' /etc/sysconfig/cloudbees-core-cm
"""
        % FLAG
    )
    return [
        host("segment", release, "segment"),
        host("oc1", release, "oc-deb"),
        host("cm1", release, "cm-deb", history=dead),
        host("cm2", release, "cm-rpm", history=owed),
        host("cm3", release, "cm-rpm-array"),
        host("oss1", release, "oss"),
        host("script1", release, "script"),
    ]


def test():
    # Three releases: three Pythons, two OpenJDKs, three systemds. No history: a test makes its own.
    return [
        host("segment", "bookworm", "segment"),
        host("bullseye-oc-deb", "bullseye", "oc-deb"),
        host("bullseye-cm-rpm", "bullseye", "cm-rpm"),
        host("bullseye-script", "bullseye", "script"),
        host("bookworm-cm-deb", "bookworm", "cm-deb"),
        host("bookworm-cm-rpm-array", "bookworm", "cm-rpm-array"),
        host("bookworm-oss", "bookworm", "oss"),
        host("bookworm-tomcat", "bookworm", "tomcat"),
        host("trixie-oc-rpm", "trixie", "oc-rpm"),
        host("trixie-cm-deb", "trixie", "cm-deb"),
        host("trixie-oss", "trixie", "oss", files=[DROP_IN]),
        host("trixie-script", "trixie", "script"),
    ]


def lab():
    return [
        host("segment", "bookworm", "segment"),
        host("internet", "bookworm", "internet"),
        host("node", "bookworm", "cm-deb-tools"),
    ]


def gitops():
    return [
        host("segment", "bookworm", "segment"),
        host("git", "trixie", "git-server"),
        host("cm1", "trixie", "cm-deb-gitops"),
    ]


def hostile():
    # One of each packaging, for the tests in which a host, or somebody on it, attacks.
    return [
        host("segment", "bookworm", "segment"),
        host("deb", "trixie", "cm-deb"),
        host("rpm", "bullseye", "cm-rpm"),
        host("oss", "bookworm", "oss"),
        host("script", "bookworm", "script"),
    ]


def odd():
    # One host, on which a test lays out what people have built: many controllers beside the package's own.
    return [host("segment", "bookworm", "segment"), host("odd", "bookworm", "oss-starters")]


def booted():
    # Nothing but systemds: tests/booted lays launch files over them and starts services.
    return [host(release, release, "plain") for release in ("bookworm", "trixie", "bullseye")]


def faults():
    # Many small hosts, for tests/faults_enforce: each of them is disturbed in its own way in one run.
    return [host("segment", "bookworm", "segment")] + [
        host("%s-%s" % (release, kind), release, kind)
        for release, kind in (
            ("bookworm", "cm-deb"),
            ("trixie", "cm-deb"),
            ("bullseye", "cm-rpm"),
            ("bookworm", "cm-rpm-array"),
            ("bookworm", "oss"),
            ("trixie", "oss"),
            ("bullseye", "script"),
            ("trixie", "script"),
        )
    ]


PROFILES = {
    "demo": demo,
    "test": test,
    "lab": lab,
    "gitops": gitops,
    "hostile": hostile,
    "odd": odd,
    "booted": booted,
    "faults": faults,
}


def load(profile):
    """The hosts of a profile with their addresses: each profile has its own network, so logs cannot be mixed up."""
    network = "10.77.%d." % list(PROFILES).index(profile)
    hosts = PROFILES[profile]()
    for number, one in enumerate(hosts):
        one["address"] = network + str(2 if one["kind"] == "segment" else 10 + number)
    return hosts
