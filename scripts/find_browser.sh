# Sourced by run_tests.sh: exports IDF_TEST_BROWSER, the Chromium or Chrome that the browser tests
# drive. Set it beforehand to choose one. Debian's headless shell comes first: it is the same
# browser without windows, and the tests take little more than half the processor time in it.
# Where none is found it is installed if that is allowed; otherwise one sentence says what to do,
# and the script exits with 1.

find_browser() {
    for candidate in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
        if command -v "$candidate" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
}

if [ -n "${IDF_TEST_BROWSER:-}" ]; then
    if [ ! -x "$IDF_TEST_BROWSER" ]; then
        echo "IDF_TEST_BROWSER names $IDF_TEST_BROWSER, which is no program." >&2
        exit 1
    fi
else
    IDF_TEST_BROWSER=$(find_browser)
    if [ -z "$IDF_TEST_BROWSER" ] && command -v apt-get >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ]; then
            as_root="env"
        elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            as_root="sudo -n env"
        else
            as_root=""
        fi
        if [ -n "$as_root" ]; then
            echo "Installing Chromium for the browser tests ..." >&2
            $as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 &&
                $as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium-headless-shell >&2 || true
            IDF_TEST_BROWSER=$(find_browser)
        fi
    fi
    if [ -z "$IDF_TEST_BROWSER" ]; then
        echo "The browser tests need Chromium or Chrome: install one, or name it in IDF_TEST_BROWSER." >&2
        exit 1
    fi
fi
export IDF_TEST_BROWSER
