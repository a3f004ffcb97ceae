"""Runs the probe inside the host `node`: `measure.py FOLDER`, a JSON list of options on stdin, answers on stdout.

FOLDER holds the package `module_utils`. The time is taken around the probe alone.
"""

import json
import sys
import time


def main():
    sys.path.insert(0, sys.argv[1])
    sys.dont_write_bytecode = True
    from module_utils.probe import _configured

    results = []
    for params in json.load(sys.stdin):
        started = time.monotonic()
        answers, notes = _configured.connectivity(params)
        results.append({"answers": answers, "notes": notes, "seconds": time.monotonic() - started})
    json.dump(results, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
