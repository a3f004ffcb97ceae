# As the administrator: a package of the site's own. Unit in /usr/lib, launch script of root, options of the service's user.
set -e
systemctl stop cloudbees-cm || true
rm -rf /etc/systemd/system/cloudbees-cm.service /etc/systemd/system/cloudbees-cm.service.d
cat >/usr/lib/systemd/system/cloudbees-cm.service <<'U'
[Service]
User=cloudbees
Environment="JAVA_OPTS=-Djava.awt.headless=true -Dcom.cloudbees.analytics.gatherer.Sender.disabled=false"
ExecStart=/opt/cloudbees/cm/start.sh
SuccessExitStatus=143
U
cat >/opt/cloudbees/cm/start.sh <<'U'
#!/bin/sh
. /var/lib/cloudbees-cm/env.sh
export JENKINS_HOME=/var/lib/cloudbees-cm
exec java $JAVA_OPTS $EXTRA -jar /opt/cloudbees/cm/cloudbees-core-cm.war --webroot=/var/cache/cloudbees-cm/war --httpPort=8080
U
echo 'EXTRA="-Xmx32m -XX:+UseSerialGC"' >/var/lib/cloudbees-cm/env.sh
chown cloudbees: /var/lib/cloudbees-cm/env.sh
chmod 0664 /var/lib/cloudbees-cm/env.sh
systemctl daemon-reload
systemctl start cloudbees-cm
