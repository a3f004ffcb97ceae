#!/bin/sh
# What the pipelines do, each step a word: telemetry.sh setup | check | plan | enforce | audit
#   setup    ansible-core and the collection into .venv (TELEMETRY_COLLECTION: an artifact or a name on your hub)
#   check    is the inventory data, and the policy of every host valid? Asks no host.
#   plan     what would enforce do? Writes reports/plan.md (for people) and reports/plan.json
#   enforce  do it; with TELEMETRY_PLAN=reports/plan.json only what that plan says
#   audit    is it so? Ends with 2 where policy is not met or not proven
# The inventory is TELEMETRY_INVENTORY, else inventory. `check` and `plan` take it as data, so it may be that of a merge
# request; this script and the folder that it is started in may not. What is no data (a token, ssh options, launch
# templates) stands in the file TELEMETRY_VARIABLES, if there is one; ssh finds its key by an agent.
set -eu
inventory=${TELEMETRY_INVENTORY:-inventory}
if [ -x .venv/bin/ansible-playbook ]; then PATH=$PWD/.venv/bin:$PATH; fi

# play PLAYBOOK INVENTORY [ARGUMENTS]
play() {
    playbook=$1 hosts=$2
    shift 2
    if [ -n "${TELEMETRY_VARIABLES-}" ]; then set -- -e "@$TELEMETRY_VARIABLES" "$@"; fi
    ansible-playbook "cbops.telemetry.$playbook" -i "$hosts" "$@"
}

# Leaves a copy of the inventory in $data, of which nothing was run and in which nothing can be.
take() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    data=$folder/inventory
    ansible-playbook cbops.telemetry.take_inventory -i localhost, -e "take_from='$inventory' take_to='$data'"
}

case ${1-} in
setup)
    python3 -m venv .venv
    .venv/bin/pip install --quiet 'ansible-core>=2.19,<2.20'
    .venv/bin/ansible-galaxy collection install "${TELEMETRY_COLLECTION:-cbops.telemetry}"
    ;;
check)
    take
    play check_policy "$data"
    ;;
plan)
    take
    play plan "$data"
    ;;
enforce)
    set --
    if [ -n "${TELEMETRY_PLAN-}" ]; then set -- -e "telemetry_plan=$PWD/$TELEMETRY_PLAN"; fi
    play enforce "$inventory" "$@" -e '{"telemetry_report_formats": ["json", "html", "junit", "markdown"]}'
    ;;
audit)
    play audit "$inventory" \
        -e '{"telemetry_report_formats": ["json", "html", "junit", "sarif", "openmetrics", "markdown"]}'
    ;;
*)
    echo "telemetry.sh: setup, check, plan, enforce or audit" >&2
    exit 64
    ;;
esac
