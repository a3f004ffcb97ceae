#!/bin/bash
while IFS='=' read -r k v; do
  case $k in ''|\#*) continue;; esac
  export "$k=$v"
done < /etc/ci.env
exec java $JAVA_OPTS -jar /usr/share/java/jenkins.war --httpPort=8080
