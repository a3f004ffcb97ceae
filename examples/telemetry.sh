#!/bin/sh
# What the pipelines do, each step a word: telemetry.sh setup | check | plan | enforce | audit
#   setup    ansible-core and the collection into .venv (TELEMETRY_COLLECTION: an artifact or a name on your hub)
#   check    is the policy of every host valid? Asks no host.
#   plan     what would enforce do? Writes reports/plan.md (for people) and reports/plan.json
#   enforce  do it; with TELEMETRY_PLAN=reports/plan.json only what that plan says
#   audit    is it so? Ends with 2 where policy is not met or not proven
# The inventory is TELEMETRY_INVENTORY, else inventory; ssh finds its key by an agent or by the inventory.
set -eu
inventory=${TELEMETRY_INVENTORY:-inventory}
if [ -x .venv/bin/ansible-playbook ]; then PATH=$PWD/.venv/bin:$PATH; fi

case ${1-} in
setup)
    python3 -m venv .venv
    .venv/bin/pip install --quiet 'ansible-core>=2.19,<2.20'
    .venv/bin/ansible-galaxy collection install "${TELEMETRY_COLLECTION:-cbops.telemetry}"
    ;;
check) exec ansible-playbook cbops.telemetry.check_policy -i "$inventory" ;;
plan) exec ansible-playbook cbops.telemetry.plan -i "$inventory" ;;
enforce)
    set --
    if [ -n "${TELEMETRY_PLAN-}" ]; then set -- -e "telemetry_plan=$PWD/$TELEMETRY_PLAN"; fi
    exec ansible-playbook cbops.telemetry.enforce -i "$inventory" "$@" \
        -e '{"telemetry_report_formats": ["json", "html", "junit", "markdown"]}'
    ;;
audit)
    exec ansible-playbook cbops.telemetry.audit -i "$inventory" \
        -e '{"telemetry_report_formats": ["json", "html", "junit", "sarif", "openmetrics", "markdown"]}'
    ;;
*)
    echo "telemetry.sh: setup, check, plan, enforce or audit" >&2
    exit 64
    ;;
esac
