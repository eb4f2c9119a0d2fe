#!/bin/sh
# Becomes the user PUID with the group PGID, to whom the pictures belong, and starts the app. Where
# the container is not started as root (user: in compose.yaml) it stays who it is.
set -eu
if [ "$(id -u)" = 0 ]; then
    uid=${PUID:-1000}
    gid=${PGID:-1000}
    case $uid$gid in
        *[!0-9]*)
            echo "PUID and PGID are numbers; 'id -u' and 'id -g' show them." >&2
            exit 2
            ;;
    esac
    if [ "$uid" = 0 ]; then
        echo "PUID must not be 0: the app does not run as root." >&2
        exit 2
    fi
    # The library belongs to the program alone; pictures are left as they are.
    if [ -d "${IDF_LIBRARY:-/library}" ]; then
        find "${IDF_LIBRARY:-/library}" ! -uid "$uid" -exec chown "$uid:$gid" {} +
    fi
    export HOME=/tmp
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs "$@"
fi
exec "$@"
