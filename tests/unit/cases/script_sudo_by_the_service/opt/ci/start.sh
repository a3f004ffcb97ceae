#!/bin/sh
exec sudo -n -u jenkins -- /usr/bin/java -Xmx1g -jar /usr/share/java/jenkins.war
