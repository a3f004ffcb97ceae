#!/bin/bash
exec /opt/ci/run.sh
