#!/bin/sh
# Builds the packages of a release in a fresh environment and checks them: what they hold, that the
# index will take them, that the sdist builds without a network, and that the wheel works.
#
#     scripts/check_release.sh [FOLDER]       # FOLDER gets the sdist and the wheel; default dist/
set -eu
cd -- "$(dirname -- "$0")/.."
out=${1:-dist}
. scripts/find_python.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "Commit or put aside what was changed first: a release is what git holds." >&2
    exit 1
fi
if ! grep -q "^## $version" CHANGELOG.md; then
    echo "CHANGELOG.md has no section for $version." >&2
    exit 1
fi

"$PYTHON" -m venv "$work/tools"
"$work/tools/bin/python" -m pip --disable-pip-version-check --quiet install build twine hatchling
rm -rf "$out"
"$work/tools/bin/python" -m build --no-isolation --outdir "$out" . >/dev/null
"$work/tools/bin/twine" check --strict "$out"/*
# The sdist alone makes the same wheel, with no index to ask.
mkdir "$work/sdist"
tar --extract --file "$out"/*.tar.gz --directory "$work/sdist" --strip-components 1
PIP_NO_INDEX=1 "$work/tools/bin/python" -m build --wheel --no-isolation \
    --outdir "$work/again" "$work/sdist" >/dev/null
cmp "$out"/*.whl "$work/again"/*.whl
"$PYTHON" -m zipfile --list "$out"/*.whl > "$work/listed"
for needed in NOTICE LICENSE idf.1 licences.json lite0.onnx entry_points.txt; do
    if ! grep -q "$needed" "$work/listed"; then
        echo "The wheel lacks $needed." >&2
        exit 1
    fi
done
"$PYTHON" -m venv "$work/user"
"$work/user/bin/python" -m pip --disable-pip-version-check --quiet install "$out"/*.whl
"$work/user/bin/idf" --library "$work/library" doctor
echo "Checked: $(echo "$out"/*)"
