#!/bin/bash
. /opt/ci/lib.sh
main "$@"
