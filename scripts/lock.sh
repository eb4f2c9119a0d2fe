#!/bin/sh
# Renews the locked versions in requirements/ after a change of dependencies in pyproject.toml.
# One file serves every Python from 3.11 on, and Linux, macOS and Windows. Needs uv on the PATH
# or in .venv; `scripts/lock.sh --upgrade` takes the newest versions.
set -eu
cd -- "$(dirname -- "$0")/.."
PATH=$PWD/.venv/bin:$PATH
for kind in run dev; do
    group=""
    [ "$kind" = run ] || group="--group $kind"
    # shellcheck disable=SC2086  # $group is two words or none
    uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
        --no-header --no-emit-index-url --no-emit-find-links \
        "$@" $group pyproject.toml --output-file "requirements/$kind.txt" >/dev/null
done
