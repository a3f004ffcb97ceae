#!/bin/sh
su -s /bin/sh jenkins -c "/usr/bin/java -Xmx1g -jar /usr/share/java/jenkins.war"
