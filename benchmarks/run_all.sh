#!/bin/sh
# All benchmarks on the photos of the folders named; see README.md here. Give the machine a rest
# from other work first: RESULTS.md states the load beside each figure.
set -eu
[ $# -gt 0 ] || { echo "Usage: benchmarks/run_all.sh PHOTOS..." >&2; exit 2; }
photos=
for folder in "$@"; do photos="$photos
$(cd -- "$folder" && pwd)"; done
cd -- "$(dirname -- "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || { echo "Run ./run_tests.sh once: it makes the environment." >&2; exit 1; }
IFS='
'
set -f
# shellcheck disable=SC2086  # one word per line
$python -m benchmarks.run --photos $photos --sets a,b,extra,c --tools ours,peers
# shellcheck disable=SC2086
$python -m benchmarks.speed all --photos $photos
