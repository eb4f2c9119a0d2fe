#!/bin/sh
# Builds one file that holds the program and its packages (a pex), and checks that it works. It runs
# on every Linux of this processor that has the same Python as the one it is built with.
#
#     packaging/onefile.sh [FOLDER]           # writes FOLDER/idf-VERSION-linux-MACHINE-PYTHON.pex
set -eu
cd -- "$(dirname -- "$0")/.."
out=${1:-dist}
. scripts/find_python.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
series=$("$PYTHON" -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
file=$out/idf-$version-linux-$(uname -m)-$series.pex

"$PYTHON" -m venv "$work/tools"
"$work/tools/bin/python" -m pip --disable-pip-version-check --quiet install pex
"$work/tools/bin/python" -m pip --disable-pip-version-check --quiet wheel --no-deps \
    --wheel-dir "$work" .
mkdir -p "$out"
"$work/tools/bin/pex" --requirement requirements/run.txt "$work"/*.whl --venv prepend \
    --python "$PYTHON" --console-script idf --output-file "$file"

# It unpacks itself at its first start, for the user who starts it.
export PEX_ROOT="$work/unpacked"
"$file" --library "$work/library" doctor
echo "$file"
