#!/bin/sh
# Makes the environment, installs what the tests need (a browser included) and runs every check:
# lint, format, import contracts, types, tests. Options go on to pytest. All checks run even when
# one fails; the exit status is 0 only if all passed.
set -eu
cd -- "$(dirname -- "$0")"
# Else each of the test processes compiles all modules for itself.
unset PYTHONDONTWRITEBYTECODE
# Else OpenBLAS's threads wait for work with a core each whenever a process has loaded NumPy.
export OPENBLAS_THREAD_TIMEOUT=20
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
# Types take a minute on one core: they are checked beside the tests, and reported after them.
types=$(mktemp)
$bin/mypy >"$types" 2>&1 &
mypy=$!
trap 'kill "$mypy" 2>/dev/null || true; rm -f "$types"' EXIT
trap 'exit 130' INT TERM
check "ruff check" $bin/ruff check .
check "ruff format" $bin/ruff format --check .
check "import contracts" $bin/lint-imports --no-cache
# In a new environment the first process compiles what it imports: one of them, not all at once.
$bin/python -m pytest --collect-only --quiet "$@" >/dev/null 2>&1 || true
# Files are handed out in the order of tests/conftest.py: the longest first.
check "pytest" $bin/python -m pytest \
    --numprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
report_types() {
    status=0
    wait "$mypy" || status=$?
    cat "$types"
    return $status
}
check "mypy" report_types

if [ -n "$failed" ]; then
    echo "Failed:${failed%,}." >&2
    exit 1
fi
echo "All checks passed."
