#!/bin/sh
# Installs ImageDuplicateFinder into its own .venv (first time), brings it up to date and starts
# it: the web app, or `idf` with whatever verb and options are given here. --no-update leaves
# the checkout as it is; --uninstall alone removes the environment.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/scripts/find_python.sh"
exec "$PYTHON" "$here/scripts/start.py" "$@"
