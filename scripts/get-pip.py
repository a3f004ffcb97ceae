"""Puts pip into the environments that ansible-test makes, from the package registry and nowhere else.

ansible-test fetches a script of this name from a server of its own; on a control node that reaches only a
package registry that fails. It takes a script from its cache instead, which is where `scripts/lint` puts this.
"""

import subprocess
import sys

# In a process of its own: ensurepip turns the configuration of pip off for the process that calls it.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
WANTED = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet"] + WANTED)
