JAVA_OPTS="-Xmx1g"
exec java $JAVA_OPTS -jar /usr/share/java/jenkins.war --httpPort=8080
