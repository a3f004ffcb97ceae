# Written by the administrator; catalina.sh reads it.
CATALINA_OPTS="-DJENKINS_HOME=/var/lib/cloudbees-cm -Xmx48m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
