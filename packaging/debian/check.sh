#!/bin/sh
# Checks a Debian package as root on a machine that may be changed: lintian finds nothing, it
# installs, works, and leaves nothing behind when it is removed.
#
#     packaging/debian/check.sh FILE.deb
set -eu
package=$1
name=image-duplicate-finder
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lintian --fail-on error,warning "$package"
desktop-file-validate "$(dirname -- "$0")/../$name.desktop"
dpkg --install "$package"
idf --library "$work/library" --version
idf --library "$work/library" doctor
test -f /usr/share/applications/$name.desktop
test -f /usr/share/man/man1/idf.1.gz
dpkg --remove $name
for left in /opt/$name /usr/bin/idf /usr/share/doc/$name /usr/share/applications/$name.desktop; do
    if [ -e "$left" ]; then
        echo "$left was left behind." >&2
        exit 1
    fi
done
echo "The package installs, works and goes without a trace."
