#!/bin/sh
# Builds a Debian package: the program with its packages in an environment below /opt, a command, a
# menu entry, an icon and the manual page. It belongs to the Python of the system it is built on.
#
#     packaging/debian/build.sh [FOLDER]      # writes FOLDER/image-duplicate-finder_VERSION_ARCH.deb
#
# Needs python3-venv, dpkg-dev and the package index (or IDF_WHEELS, a folder of wheels).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
out=$(mkdir -p "${1:-$root/dist}" && CDPATH='' cd -- "${1:-$root/dist}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=image-duplicate-finder
home=/opt/$name
python=/usr/bin/python3
tree=$work/tree
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/pyproject.toml")
architecture=$(dpkg --print-architecture)
series=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$("$python" -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')

install -d "$tree/opt" "$tree/usr/bin" "$tree/usr/share/doc/$name" "$tree/usr/share/man/man1" \
    "$tree/usr/share/applications" "$tree/usr/share/icons/hicolor/scalable/apps" \
    "$tree/usr/share/lintian/overrides" "$tree/DEBIAN"
"$python" -m venv "$tree$home"
pip="$tree$home/bin/python -m pip --disable-pip-version-check --quiet install --no-compile"
index=""
[ -z "${IDF_WHEELS:-}" ] || index="--no-index --find-links $IDF_WHEELS"
# shellcheck disable=SC2086  # several words each
$pip $index --requirement "$root/requirements/run.txt"
# shellcheck disable=SC2086
$pip $index --no-deps "$root"
"$tree$home/bin/python" -m pip --quiet uninstall --yes pip setuptools 2>/dev/null || true

# The environment was made elsewhere than it will lie.
rm -rf "$tree$home/share" "$tree$home/bin/activate"* "$tree$home/bin/Activate.ps1"
find "$tree$home" -name __pycache__ -prune -exec rm -rf {} +
find "$tree$home" -name tests -path '*/site-packages/num*/*' -prune -exec rm -rf {} +
for script in "$tree$home"/bin/*; do
    case $script in */idf | */python | */python3 | */"python$series") ;; *) rm -f "$script" ;; esac
done
sed -i "1s|.*|#!$home/bin/python|" "$tree$home/bin/idf"
sed -i "s|$tree||" "$tree$home/pyvenv.cfg"
find "$tree$home" -name direct_url.json -delete
ln -s "$home/bin/idf" "$tree/usr/bin/idf"

gzip --best --no-name --stdout "$root/packaging/idf.1" > "$tree/usr/share/man/man1/idf.1.gz"
install -m 644 "$root/packaging/$name.desktop" "$tree/usr/share/applications/"
install -m 644 "$root/src/image_duplicate_finder/web/static/icon.svg" \
    "$tree/usr/share/icons/hicolor/scalable/apps/$name.svg"
{
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo "Upstream-Name: ImageDuplicateFinder"
    echo
    echo "Files: *"
    echo "Copyright: $(sed -n 's/^Copyright (c) //p' "$root/LICENSE")"
    echo "License: MIT"
    sed -n '/^Permission/,$s/^/ /p' "$root/LICENSE" | sed 's/^ $/ ./'
    echo "Comment: The packages below $home have licences of their own:"
    sed -n '/^It is installed/,$p' "$root/NOTICE" | sed 's/^/ /;s/^ $/ ./'
} > "$tree/usr/share/doc/$name/copyright"
printf '%s (%s) unstable; urgency=low\n\n  * See /usr/share/doc/%s/CHANGELOG.md.gz.\n\n -- The ImageDuplicateFinder authors <nobody@localhost>  %s\n' \
    "$name" "$version" "$name" "$(date -R)" | gzip --best --no-name > "$tree/usr/share/doc/$name/changelog.gz"
gzip --best --no-name --stdout "$root/CHANGELOG.md" > "$tree/usr/share/doc/$name/CHANGELOG.md.gz"
sed "/^#/!s/^/$name: /" "$root/packaging/debian/lintian-overrides" > "$tree/usr/share/lintian/overrides/$name"
chmod 644 "$tree/usr/share/lintian/overrides/$name" "$tree/usr/share/doc/$name/"*
find "$tree$home/lib" -type f -exec chmod 644 {} +
chmod -R u+w,go-w,a+rX "$tree"

cat > "$tree/DEBIAN/control" <<EOF
Package: $name
Version: $version
Architecture: $architecture
Maintainer: The ImageDuplicateFinder authors <nobody@localhost>
Section: graphics
Priority: optional
Depends: python3 (>= $series), python3 (<< $next), libc6 (>= 2.28), libstdc++6
Installed-Size: $(du -sk "$tree" | cut -f1)
Description: find duplicate images and remove them without losing a picture
 Finds duplicate images in folders and data sets, also cropped, turned,
 mirrored, framed or pasted into another picture, shows them side by side in
 the browser, and removes what is chosen into a backup that one click restores.
EOF
# Nobody but root may write below /opt: without these each start would compile every module.
cat > "$tree/DEBIAN/postinst" <<EOF
#!/bin/sh
set -e
if [ "\$1" = configure ]; then
    $home/bin/python -m compileall -q -j 0 $home/lib || true
fi
EOF
cat > "$tree/DEBIAN/prerm" <<EOF
#!/bin/sh
set -e
find $home -name __pycache__ -type d -prune -exec rm -rf {} +
EOF
chmod 755 "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm"
(cd "$tree" && find opt usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zxz -z2 --build "$tree" "$out/${name}_${version}_$architecture.deb"
