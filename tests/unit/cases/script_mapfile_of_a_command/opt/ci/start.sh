#!/bin/bash
mapfile -t O < <(sed -e "s/#.*//" -e "/^$/d" /etc/ci.opts)
exec java "${O[@]}" -jar /usr/share/java/jenkins.war
