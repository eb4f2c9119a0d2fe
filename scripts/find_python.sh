# Sourced by run_linux_mac.sh and run_tests.sh: sets PYTHON to a Python that can make the
# environment, or says in one sentence why there is none and exits with 1.
# Each candidate is run, not only looked up: version managers leave names that start nothing.

PYTHON=""
too_old=""
without_venv=""
for candidate in python3.13 python3.12 python3.11 python3.14 python3; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
        3.11 | 3.1[2-9] | 3.[2-9][0-9]) ;;
        *)
            too_old=$version
            continue
            ;;
    esac
    if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        PYTHON=$candidate
        break
    fi
    without_venv=$version
done

if [ -z "$PYTHON" ]; then
    if [ -n "$without_venv" ]; then
        echo "Python $without_venv is here, but without its venv module; install it first (on Debian and Ubuntu: sudo apt install python3-venv)." >&2
    elif [ -n "$too_old" ]; then
        echo "Python $too_old is too old: ImageDuplicateFinder needs Python 3.11 or newer (https://www.python.org/downloads/)." >&2
    else
        echo "No Python was found: ImageDuplicateFinder needs Python 3.11 or newer (https://www.python.org/downloads/)." >&2
    fi
    exit 1
fi
