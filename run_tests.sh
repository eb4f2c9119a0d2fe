#!/bin/sh
# Makes the environment, installs what the tests need (a browser included) and runs every check:
# lint, format, types, import contracts, tests. Options go on to pytest. All checks run even when
# one fails; the exit status is 0 only if all passed.
set -eu
cd -- "$(dirname -- "$0")"
. scripts/find_python.sh
. scripts/find_browser.sh
"$PYTHON" scripts/environment.py dev

failed=""
check() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name,"
}
bin=.venv/bin
check "ruff check" $bin/ruff check .
check "ruff format" $bin/ruff format --check .
check "mypy" $bin/mypy
check "import contracts" $bin/lint-imports --no-cache
check "pytest" $bin/python -m pytest --numprocesses 3 --dist loadfile "$@"

if [ -n "$failed" ]; then
    echo "Failed:${failed%,}." >&2
    exit 1
fi
echo "All checks passed."
