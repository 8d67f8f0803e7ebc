#!/bin/sh
# Starts Redis with redis.conf and the users of users.acl. The passwords come from REDIS_PASSWORD and
# REDIS_VERIFIER_PASSWORD, and are in no command line and no file: only their digests are.
set -eu

: "${REDIS_PASSWORD:?}" "${REDIS_VERIFIER_PASSWORD:?}"
digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

umask 077
sed -e '/^#/d' \
    -e "s/#REDIS_PASSWORD /#$(digest "$REDIS_PASSWORD") /" \
    -e "s/#REDIS_VERIFIER_PASSWORD /#$(digest "$REDIS_VERIFIER_PASSWORD") /" \
    "${CONFIG_DIR:-/etc/redis}/users.acl" >/tmp/users.acl
exec redis-server "${CONFIG_DIR:-/etc/redis}/redis.conf"
