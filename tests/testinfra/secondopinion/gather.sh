# shellcheck shell=sh
# Read-only look at one host, for tests/testinfra: POSIX sh, run as root, fed over stdin. Executes nothing
# that it reads. Records are lines "@key value"; text of files and commands follows behind a "|" per line,
# so that nothing a file says can be taken for a record.
# Set in front of this text: PROPERTY, VARIABLES, ENDPOINT, PORT, ROUND (look|files), PROBE (yes|no), WANTED (paths; with home:,
# casc: or archives: before one, what of a JENKINS_HOME speaks of senders).
LC_ALL=C
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

say() { printf '@%s\n' "$*"; }
body() { sed 's/^/|/'; echo; }
limited() { limit=$1; shift; if command -v timeout >/dev/null; then timeout -k 1 "$limit" "$@"; else "$@"; fi; }

owner() { # of what a link points to: that is what gets read
    stat -L -c '%u %g %a %U %G' -- "$1" 2>/dev/null || echo '- - - - -'
}

# What a Tomcat with this catalina.base (its path ends with "/") serves: applications, folders with a "/" behind,
# and the files that configure them. The manifests tell what an application is.
applications() {
    say file "$1"
    if [ ! -d "$1" ]; then say missing; return; fi
    say stat "$(owner "$1")"
    say text
    for f in "$1"webapps/* "$1"conf/server.xml "$1"conf/*/*/*.xml; do
        if [ -d "$f" ]; then printf '%s/\n' "$f"; elif [ -e "$f" ]; then printf '%s\n' "$f"; fi
    done | head -n 500 | body
    for f in "$1"webapps/*/META-INF/MANIFEST.MF "$1"conf/server.xml "$1"conf/*/*/*.xml; do
        [ -e "$f" ] && printf '%s\n' "$f"
    done | head -n 100 | while IFS= read -r f; do file "$f"; done
}

# A file below a folder of somebody else's: no link of his leads out of it.
below() {
    case $(readlink -f -- "$2") in
    "$(readlink -f -- "$1")"/*) [ -e "$2" ] || return; if [ -r "$2" ]; then file "$2"; else say file "$2"; say unreadable without permission; fi ;;
    *) [ -e "$2" ] || [ -h "$2" ] && { say file "$2"; say unreadable a link that leads out of its folder; } ;;
    esac
}

# Of a JENKINS_HOME: settings, names of plugins, configuration as code that is promoted or the default.
home() {
    say file "home:$1"
    if [ ! -d "$1" ]; then say missing; return; fi
    say stat "$(owner "$1")"
    say text
    {
        for f in "$1"/*UsageStatisticsCloudBees.xml; do [ -e "$f" ] || [ -h "$f" ] && printf 'toggle %s\n' "$f"; done | head -n 20
        for f in "$1"/plugins/*; do [ -e "$f" ] && printf 'plugin %s\n' "${f##*/}"; done | head -n 20000
        for f in "$1"/war/WEB-INF/jenkins.yaml "$1"/war/WEB-INF/jenkins.yaml.d; do [ -e "$f" ] && echo brought; done
        [ -r "$1/plugins" ] && echo listed
    } 2>/dev/null | body
    for f in "$1"/*UsageStatisticsCloudBees.xml; do
        [ -e "$f" ] || [ -h "$f" ] && printf '%s\n' "$f"
    done | head -n 3 | while IFS= read -r f; do below "$1" "$f"; done
    for f in config.xml io.jenkins.plugins.casc.CasCGlobalConfig.xml; do below "$1" "$1/$f"; done
    casc "$1/core-casc-bundle"
    casc "$1/jenkins.yaml"
}

# Configuration as code: a file, or all of a folder. Only what may name the toggle comes along, as keys can be written, and
# what is UTF-16.
casc() {
    say file "casc:$1"
    if [ ! -e "$1" ]; then say missing; return; fi
    say stat "$(owner "$1")"
    say text
    # A list that broke off, or that nobody may make, ends with a line that is no path.
    listed=$({ limited 20 find -L "$1" -maxdepth 8 \( -type f -o -type l -o -type p \) 2>/dev/null || echo not all of it; } |
        head -n 500)
    printf '%s\n' "$listed" | body
    wide=$(printf '^(\377\376|\376\377)')
    printf '%s\n' "$listed" | while IFS= read -r f; do
        case ${f##*/} in *.[yY][mM][lL] | *.[yY][aA][mM][lL]) ;; *) continue ;; esac
        [ -e "$f" ] || continue # a link to nothing
        case ${f##*/} in bundle.yaml) below "${1%/*}" "$f"; continue ;; esac
        [ -f "$f" ] || { below "${1%/*}" "$f"; continue; }
        limited 10 grep -q -i -a -E "usage.{0,12}statistics|\\\\[xuU]|^[[:space:]]*[?&*!]|<<|$wide" -- "$f" 2>/dev/null
        [ $? = 1 ] || below "${1%/*}" "$f" # it could not be read, or may name it
    done
}

# The archives of the plugins, until there is too much of it.
archives() {
    left=67108864
    for f in "$1"/plugins/*.jpi "$1"/plugins/*.hpi; do
        if [ ! -f "$f" ] || [ -h "$f" ]; then [ ! -h "$f" ] || say archived no "$f"; continue; fi
        size=$(wc -c <"$f")
        if [ "$size" -gt "$left" ]; then say archived no "$f"; continue; fi
        left=$((left - size))
        say archived yes "$f"
        limited 60 base64 -w 0 -- "$f" | body
    done
}

file() {
    case $1 in
    */) applications "$1"; return ;;
    home:*) home "${1#home:}"; return ;;
    casc:*) casc "${1#casc:}"; return ;;
    archives:*) archives "${1#archives:}"; return ;;
    esac
    say file "$1"
    if [ ! -e "$1" ]; then say missing; return; fi
    say stat "$(owner "$1")"
    say folder "$(owner "$(dirname -- "$1")")"
    if [ -h "$1" ]; then
        real=$(readlink -f -- "$1") && say real "$real" && say folder "$(owner "$(dirname -- "$real")")"
    fi
    if [ ! -f "$1" ]; then say unreadable not a regular file; return; fi
    if [ "$(head -c 4 -- "$1" | tr -d '\000')" = "$(printf '\177ELF')" ]; then say binary; return; fi
    if [ "$(head -c 2 -- "$1" | tr -d '\000')" = PK ]; then
        if ours "$1"; then say archive ours; else say archive other; fi
        return
    fi
    if [ "$(wc -c <"$1")" -gt 524288 ]; then say unreadable larger than 512 KiB; return; fi
    say text
    body <"$1"
}

# Whether a war, or the folder that it was unpacked to, is the product: by names that stand in it, whatever its own is.
ours() {
    if [ -d "$1" ]; then
        [ -e "$1/executable/Main.class" ] && grep -q '^Jenkins-Version:' "$1/META-INF/MANIFEST.MF" 2>/dev/null
    else
        # An archive's list of names is at its end.
        [ -f "$1" ] && limited 10 tail -c 4194304 -- "$1" 2>/dev/null |
            grep -a -q -E 'executable/Main[.]class|WEB-INF/lib/(jenkins|cloudbees)-core'
    fi
}

# Whether a war brings configuration as code of its own.
brings() {
    if [ -d "$1" ]; then [ -e "$1/WEB-INF/jenkins.yaml" ] || [ -e "$1/WEB-INF/jenkins.yaml.d" ]; else
        limited 10 tail -c 4194304 -- "$1" 2>/dev/null | grep -a -q -E 'WEB-INF/jenkins[.]yaml'
    fi
}

# The product that a JVM runs, as it sees files itself: what it was given, what it holds open.
runs() {
    arguments "$1/cmdline" | awk '
        given { print; given = 0 } /^-(jar|cp|classpath)$/ || /^--class-path$/ { given = 1 } /[.]war$/ { sub(/^.*=/, ""); print }
    ' | tr ':' '\n' | while IFS= read -r f; do
        case $f in -*) ;; /*) printf '%s\n' "$1/root$f" ;; ?*) printf '%s\n' "$1/cwd/$f" ;; esac
    done
    for f in "$1"/fd/*; do
        case $(readlink "$f") in *.war | *'.war (deleted)') printf '%s\n' "$f" ;; esac
    done 2>/dev/null | head -n 20
}

# NUL ends an argument and newlines may stand inside one: change places, so that one line is one argument.
arguments() { tr '\000\n' '\n\001' <"$1" 2>/dev/null; }

process() {
    pid=${1#/proc/}
    say process "$pid"
    # In namespaces of its own it sends all the same.
    for kind in pid mnt net; do
        [ "$(readlink "$1/ns/$kind")" = "$(readlink "/proc/self/ns/$kind")" ] || say namespace "$kind"
    done
    runs "$1" | while IFS= read -r f; do
        ours "$f" || continue
        say product
        brings "$f" && say brought
        break
    done
    say cgroup; body <"$1/cgroup" 2>/dev/null
    # Values of other options stay on the host: they may be secrets.
    say cmdline
    arguments "$1/cmdline" | sed -E -e "/^-D($PROPERTY)/b" -e '/^-D(catalina\.base|JENKINS_HOME)=/b' -e 's/^(-[^=:]*[=:]).*/\1/' | body
    say environ
    arguments "$1/environ" |
        grep -E '^(JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|JENKINS_HOME|HZ_PHONE_HOME_ENABLED|CASC_JENKINS_CONFIG)=|^('"$VARIABLES"')=' |
        sed 's/^\(CASC_JENKINS_CONFIG=\).*/\1/' | body
    say account "$(getent passwd "$(stat -c %u "$1")" | cut -d: -f6)"
    [ -r "$1/environ" ] || say environ_unreadable
}

unit() {
    say unit "$1"
    say properties
    limited 20 systemctl show --no-pager -p Id -p LoadState -p ActiveState -p SubState -p Result -p User -p Group \
        -p FragmentPath -p SourcePath -p DropInPaths -p Environment -p EnvironmentFiles -p ExecStart \
        -p WorkingDirectory -p ControlGroup -p NeedDaemonReload -p NRestarts -p ExecMainStatus -p UnitFileState "$1" | body
    for root in /etc /run /usr/local/lib /usr/lib /lib; do
        for f in "$root/systemd/system/$1.d"/*.conf; do
            [ -e "$f" ] && say dropin "$f"
        done
    done
    say journal
    limited 20 journalctl --no-pager -q -n 12 -o short-iso -u "$1" 2>/dev/null | body
    for f in $(limited 20 systemctl show --no-pager -p FragmentPath -p SourcePath -p DropInPaths "$1" |
        sed 's/^[A-Za-z]*=//'); do file "$f"; done
    limited 20 systemctl show --no-pager -p ExecStart "$1" | sed -n 's/^.*{ path=\([^;]*\) ;.*/\1/p' |
        while IFS= read -r f; do file "$f"; done
}

# JVMs: whatever they are called, they have the library of one mapped.
jvms() {
    for p in /proc/[0-9]*; do
        comm=
        { read -r comm <"$p/comm"; } 2>/dev/null
        if [ "$comm" = java ] || grep -q -E '/lib(jvm|j9vm[0-9]*)[.]so' "$p/maps" 2>/dev/null; then printf '%s\n' "$p"; fi
    done
}

# All services that there are, also those that nothing has loaded; a template is none.
services() {
    limited 20 systemctl list-unit-files --type=service --no-legend --no-pager 2>/dev/null |
        sed 's/[[:space:]].*//' | grep '^[A-Za-z0-9]' | grep -v '@[.]service$' | head -n 3000
}

# Units whose commands lead to text that speaks of Java or of the product: in files that they name, that those name …
leading() {
    # shellcheck disable=SC2046 # one name is one word here
    told=$(limited 20 systemctl show --no-pager -p Id -p ExecStart -p Environment -p EnvironmentFiles '*.service' \
        $(services) 2>/dev/null | awk '
        /^Id=/ { id = substr($0, 4) } /^(ExecStart|Environment|EnvironmentFiles)=/ { run = run " " $0 } /^$/ { out() } END { out() }
        function out() { if (run ~ /\//) print id "\t" run; run = ""; id = "" }')
    # Most name programs alone: what is text among all their files is found at once.
    # shellcheck disable=SC2046 # one path is one word here
    texts=" $(set -f; find -L $(printf '%s\n' "$told" | grep -oE '/[A-Za-z0-9_./@+-]+' | sort -u) -prune -type f -size -512 \
        -exec grep -I -l . {} + 2>/dev/null | tr '\n' ' ') "
    printf '%s\n' "$told" | while IFS="$(printf '\t')" read -r u text; do
        case $text in *java* | *.war* | *jenkins* | *cloudbees*) printf '%s\n' "$u"; continue ;; esac
        more=
        for f in $(set -f; printf '%s\n' "$text" | grep -oE '/[A-Za-z0-9_./@+-]+' | sort -u | head -n 100); do
            case $texts in *" $f "*) more="$more $f" ;; esac
        done
        # shellcheck disable=SC2086 # one path is one word here
        [ -z "$more" ] || follow "$u" $more
    done
}

# The same of one unit ($1): the text files that it names.
follow() {
    unit=$1 seen=' '
    shift
    for _ in 1 2 3 4 5; do
        text=
        for f; do
            case $seen in *" $f "*) continue ;; esac
            seen="$seen$f "
            if [ ! -f "$f" ] || [ "$(wc -c <"$f")" -ge 262144 ] || ! grep -I -q . "$f"; then continue; fi
            now=$(grep -v '^[[:space:]]*#' -- "$f")
            case $now in *java* | *.war* | *jenkins* | *cloudbees*) printf '%s\n' "$unit"; return ;; esac
            # A name made of a variable that holds a folder, or of where the file lies, is read as that.
            for d in "${f%/*}" "$(dirname "${f%/*}")"; do
                text="$text $(printf '%s\n' "$now" | grep -oE '([$][{]?[A-Za-z_]+[}]?|[.]|[)])"?(/[A-Za-z0-9_.-]+)+' |
                    sed "s|^[^/]*|$d|" | head -n 20)"
            done
            text="$text $(printf '%s\n' "$now" | grep -oE '/[A-Za-z0-9_./@+-]+' | sort -u | head -n 100)"
        done
        # shellcheck disable=SC2086 # one path is one word here
        set -f -- $text
        set +f
    done
}

# What others than systemd are told to start, where that speaks of Java or of the product.
starters() {
    for f in /etc/supervisord.conf /etc/supervisor/supervisord.conf /etc/supervisor/conf.d/* /etc/supervisord.d/* \
        /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/[a-z]* /etc/service/*/run /etc/sv/*/run \
        /service/*/run /etc/runit/runsvdir/*/*/run /etc/monit/conf.d/* /etc/monit/conf-enabled/* /etc/monit.d/* /etc/monitrc /etc/monit/monitrc \
        /etc/rc.local /etc/inittab /home/*/.config/systemd/user/*.service /var/lib/*/.config/systemd/user/*.service; do
        case $f in
        # A service that is linked to, in a folder that is looked at as well.
        */run) case $(readlink -f -- "${f%/run}") in "${f%/run}") ;; /etc/sv/* | /etc/runit/runsvdir/*) continue ;; esac ;;
        # Without that they do not start with the machine.
        */systemd/user/*) home=${f%%/.config/*}; [ -e "/var/lib/systemd/linger/${home##*/}" ] || continue ;;
        esac
        [ -f "$f" ] && grep -q -i -E 'java|jenkins|cloudbees|[.]war|/[a-z0-9_./-]+[.]sh' -- "$f" && {
            say starter "$f"
            file "$f"
        }
    done
    for f in /etc/init.d/*; do
        if [ ! -f "$f" ] || ! head -n 1 -- "$f" | grep -q -E '(openrc-run|runscript)'; then continue; fi
        grep -q -i -E 'java|jenkins|cloudbees|[.]war' -- "$f" "/etc/conf.d/${f##*/}" 2>/dev/null || continue
        say starter "$f"
        file "$f"
    done
    # Containers: by their image.
    for f in /etc/containers/systemd/*.container /opt/*/*compose*.y*ml /srv/*/*compose*.y*ml /etc/docker/*compose*.y*ml \
        /root/*compose*.y*ml; do
        [ -f "$f" ] && grep -i -E '^[[:space:]-]*image[[:space:]]*[:=]' -- "$f" | grep -v -i agent |
            grep -q -i -E 'jenkins|cloudbees' && { say starter "$f"; file "$f"; }
    done
}

# Units that start a Tomcat, by their command or by a script that it names.
tomcats() {
    named='catalina[.]sh|CATALINA_BASE|org[.]apache[.]catalina[.]startup[.]Bootstrap'
    # shellcheck disable=SC2046 # one name is one word here
    words=$(limited 20 systemctl show --no-pager -p Id -p ExecStart '*.service' $(services) 2>/dev/null | awk '
        /^Id=/ { id = substr($0, 4) } /^ExecStart=/ { run = run " " $0 } /^$/ { out() } END { out() }
        function out(  i, n, w) {
            n = split(run, w, /[ \t;]+/)
            for (i = 1; i <= n; i++) { sub(/^path=/, "", w[i]); if (w[i] ~ /^\//) print id, w[i] }
            run = ""; id = ""
        }' | sort -u)
    # shellcheck disable=SC2046 # one path is one word here
    hits=$(set -f; find -L $(printf '%s\n' "$words" | sed 's/^[^ ]* //' | sort -u) -prune -type f -size -1024 \
        -exec grep -l -E "$named" {} + 2>/dev/null)
    printf '%s\n' "$hits" -- "$words" | awk '
        $0 == "--" { units = 1; next } !units { hit[$0] = 1; next } ($2 in hit) || $2 ~ /\/catalina[.]sh$/ { print $1 }'
}

say begin
say uid "$(id -u)"
if [ "$(id -u)" != 0 ]; then say end; exit 0; fi

if [ "$ROUND" = look ]; then
    javas=$(jvms)
    for p in $javas; do process "$p"; done
    names=
    if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
        say systemd
        names=$({
            limited 20 systemctl list-units --all --type=service --plain --no-legend --no-pager
            limited 20 systemctl list-unit-files --type=service --no-legend --no-pager
        } 2>/dev/null | sed 's/^[^A-Za-z0-9]*//; s/[[:space:]].*//' | grep -i -E 'jenkins|cloudbees|tomcat' | grep -v '@\.service$'
        # shellcheck disable=SC2046 # one name is one word here
        limited 20 systemctl show --no-pager -p Id -p ExecStart '*.service' $(services) 2>/dev/null | awk '
            /^Id=/ { id = substr($0, 4) } /^ExecStart=/ { run = run $0 } /^$/ { out() } END { out() }
            function out() { if (run ~ /[.]war|jenkins|cloudbees|[.]catalina[.]|CATALINA_BASE|catalina[.]sh/) print id; run = ""; id = "" }'
        tomcats
        for p in $javas; do sed -n 's|^.*/\([^/]*\.service\).*|\1|p' "$p/cgroup" 2>/dev/null; done)
        for u in $(printf '%s\n' "$names" | grep . | sort -u); do unit "$u"; done
        for u in $(leading | sort -u); do
            printf '%s\n' "$names" | grep -q -x -F -- "$u" || { unit "$u"; say maybe; }
        done
        # What the service manager hands to every service.
        say manager
        limited 20 systemctl show-environment 2>/dev/null |
            grep -E '^(JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|JAVA_OPTS|JAVA_ARGS|JENKINS_JAVA_OPTIONS)=' | body
    else
        for f in /etc/init.d/*jenkins* /etc/init.d/*cloudbees*; do
            [ -f "$f" ] && { say initscript "$f"; file "$f"; }
        done
    fi
    starters
    for f in /etc/default/*jenkins* /etc/default/*cloudbees* /etc/sysconfig/*jenkins* /etc/sysconfig/*cloudbees* \
        /etc/default/*tomcat* /etc/sysconfig/*tomcat*; do
        [ -e "$f" ] && file "$f"
    done
    if [ "$PROBE" = yes ]; then
        out=$(limited 15 getent ahosts "$ENDPOINT" 2>/dev/null)
        say resolve $?
        printf '%s\n' "$out" | sed 's/[[:space:]].*//' | sort -u | body
        if command -v bash >/dev/null && command -v timeout >/dev/null; then
            # shellcheck disable=SC2016 # bash expands it
            out=$(timeout -k 1 12 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$ENDPOINT" "$PORT" 2>&1 </dev/null)
            say connect bash $?
            printf '%s\n' "$out" | body
        elif command -v nc >/dev/null; then
            out=$(limited 15 nc -z -w 10 "$ENDPOINT" "$PORT" 2>&1 </dev/null)
            say connect nc $?
            printf '%s\n' "$out" | body
        else
            say connect none 127
        fi
    fi
fi
printf '%s\n' "$WANTED" | while IFS= read -r f; do [ -n "$f" ] && file "$f"; done
say end
