#!/bin/sh
# Starts the controller. Installed by hand, not by a package.
# JAVA_ARGS and JENKINS_JAVA_OPTIONS mean nothing here: the options stand on the command line.

cd /opt/cloudbees/cm || exit 1
JENKINS_HOME=/var/lib/cloudbees-cm
export JENKINS_HOME

exec java \
    -Djava.awt.headless=true \
    -Xmx32m \
    -XX:+UseSerialGC \
    -XX:TieredStopAtLevel=1 \
    -Duser.timezone=UTC \
    -jar /opt/cloudbees/cm/cloudbees-core-cm.war \
    --webroot=/var/cache/cloudbees-cm/war \
    --httpPort=8080
