#!/bin/sh
# On a host of the fleet, in front of systemctl and journalctl in /usr/local/bin: waits at the step that the harness has
# named, before or after the command, and is the command otherwise.
folder=/var/lib/cbops-faults
real=/usr/bin/${0##*/}
[ -x "$real" ] || real=/bin/${0##*/} # bullseye

reached() {
    [ -e $folder/armed ] || return 0
    read -r wanted number <$folder/armed || :
    [ "$wanted" = "$1" ] || return 0
    printf x >>$folder/count
    [ "$(wc -c <$folder/count)" -ge "$number" ] || return 0
    echo $$ >$folder/pid
    mv $folder/armed $folder/hit || return 0
    held=0
    while [ ! -e $folder/go ] && [ $held -lt 1800 ]; do
        sleep 0.05
        held=$((held + 1))
    done
}

case "${0##*/} $*" in
"systemctl show "*ActiveState*) step=show ;;
"systemctl restart "*) step=restart ;;
"systemctl daemon-reload"*) step=reload ;;
"systemctl reset-failed"*) step=reset ;;
"journalctl "*) step=journal ;;
*) exec "$real" "$@" ;;
esac
reached "$step"
"$real" "$@"
status=$?
reached "$step.done"
exit $status
