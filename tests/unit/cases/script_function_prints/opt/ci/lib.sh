build_opts() {
  local o="-Xmx1g"
  o+=" -Djava.awt.headless=true"
  echo "$o"
}
main() {
  local opts; opts=$(build_opts)
  exec java $opts -jar /usr/share/java/jenkins.war "$@"
}
