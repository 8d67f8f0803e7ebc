#!/usr/bin/env bash
# Makes the base images that docker-compose.yml and deploy/Dockerfile name from what this machine has, for where no
# registry can be reached. An image that the engine already has is left alone. Prints the names of those it made.
#
#   images.sh BINARY...   programs that must find their libraries in the runtime image
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

die() { printf 'images: %s\n' "$*" >&2; exit 1; }
image_of() { awk -v service="$1:" '$1 == service {found = 1} found && $1 == "image:" {print $2; exit}' docker-compose.yml; }

# The program itself, not a shim in front of it.
program() {
    local path
    path="$(command -v "$1")" || die "$1 is missing"
    if [ "$(head -c 4 "$path" | tail -c 3)" != ELF ] && command -v pyenv >/dev/null; then path="$(pyenv which "$1")"; fi
    readlink -f "$path"
}

# with_libraries ROOT FILE...: what the programs are linked to, at the same place below ROOT
with_libraries() {
    local root="$1" file library
    shift
    for file in "$@"; do
        { ldd "$file" 2>/dev/null || true; } | sed -n 's/^[^/]*\(\/[^ ]*\) (.*/\1/p' | sort -u | while read -r library; do
            [ -e "$root$library" ] || install -D "$(readlink -f "$library")" "$root$library"
        done
    done
}

# put ROOT PROGRAM...: programs into /usr/bin, with their libraries
put() {
    local root="$1" name path
    shift
    for name in "$@"; do
        path="$(program "$name")"
        install -D "$path" "$root/usr/bin/$name"
        with_libraries "$root" "$path"
    done
}

new_root() {
    local root="$work/$1"
    mkdir -p "$root"/{tmp,run,etc,usr/bin}
    chmod 1777 "$root/tmp"
    ln -s usr/bin "$root/bin"
    printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    echo "$root"
}

# make NAME ROOT OWNED UID [CHANGE...]: the image, unless it is there; OWNED (a directory, or -) belongs to UID
make() {
    local name="$1" root="$2" owned="$3" uid="$4" change changes=(--change 'ENV PATH=/usr/local/bin:/usr/bin:/bin')
    shift 4
    for change in "$@"; do changes+=(--change "$change"); done
    if [ "$owned" != - ]; then install -d -o "$uid" -g "$uid" "$root$owned"; fi
    tar -C "$root" -c . | docker import "${changes[@]}" -m "made from this machine's programs, for tests" - "$name" >/dev/null
    echo "$name"
}
missing() { ! docker image inspect "$1" >/dev/null 2>&1; }

base="$(awk '$1 == "FROM" && $4 == "base" {print $2}' deploy/Dockerfile)"
if missing "$base"; then
    root="$(new_root base)"
    printf 'nonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n' >>"$root/etc/passwd"
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    with_libraries "$root" "$@"
    make "$base" "$root" /home/nonroot 65532 'USER 65532' 'WORKDIR /home/nonroot'
fi

name="$(image_of traefik)"
if missing "$name"; then
    root="$(new_root traefik)"
    put "$root" traefik sh sed mkdir cat
    make "$name" "$root" - 0
fi

name="$(image_of certificate)"
if missing "$name"; then
    root="$(new_root certificate)"
    put "$root" openssl sh grep mktemp mkdir chmod mv rm cat
    make "$name" "$root" - 0
fi

name="$(image_of redis)"
if missing "$name"; then
    root="$(new_root redis)"
    put "$root" redis-server redis-cli sh sed cut sha256sum grep
    make "$name" "$root" /data 999
fi
