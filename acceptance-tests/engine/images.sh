#!/usr/bin/env bash
# Puts the images that the tests need into an engine, none of them from an image registry: `images.sh HOST FOLDER`.
#   tests/haproxy:1     Debian's HAProxy, with the libraries that it needs
#   tests/versitygw:1   Versity's S3 gateway, built from its Go module
#   tests/talos:VERSION the stand-in for a Talos node (src/bin/talos-node.rs), as a static program
# INFERADB_TEST_TALOS_VERSIONS lists the versions (v1.12.0 v1.13.9).
set -euo pipefail

host=$1
work=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

import() { # NAME ROOT CHANGE...
    local name=$1 root=$2 changes=()
    shift 2
    for change in "$@"; do changes+=(--change "$change"); done
    tar -C "$root" -c . | docker --host "$host" import "${changes[@]}" - "$name" >/dev/null
}

haproxy() {
    local root=$work/haproxy/root packages=$work/haproxy/packages
    mkdir -p "$root/usr/sbin" "$root/usr/local/etc/haproxy" "$root/tmp" "$packages"
    (cd "$packages" && apt-get download haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 >/dev/null 2>&1)
    for package in "$packages"/*.deb; do dpkg -x "$package" "$work/haproxy/unpacked"; done
    cp "$work/haproxy/unpacked/usr/sbin/haproxy" "$root/usr/sbin/"
    local own=$work/haproxy/unpacked/usr/lib/x86_64-linux-gnu library
    for library in $(LD_LIBRARY_PATH=$own ldd "$root/usr/sbin/haproxy" | grep -oE '/[^ ]+\.so[^ ]*'); do
        local target=${library#"$work/haproxy/unpacked"}
        mkdir -p "$root$(dirname "$target")"
        cp -L "$library" "$root$target"
    done
    import tests/haproxy:1 "$root" 'ENV PATH=/usr/sbin'
}

versitygw() {
    local root=$work/versitygw
    "$here/versitygw.sh" "$work"
    mkdir -p "$root/data" "$root/tmp"
    import tests/versitygw:1 "$root" 'ENTRYPOINT ["/app/versitygw"]'
}

talos() {
    local root=$work/talos version
    mkdir -p "$root/etc" "$root/talos-world"
    rustc --edition 2024 -C target-feature=+crt-static -C opt-level=s -C strip=symbols -o "$root/talos-node" \
        "$here/../src/bin/talos-node.rs"
    # Nothing has to be shut down in it, and its first process ignores what it does not handle. An import cannot say that.
    for version in ${INFERADB_TEST_TALOS_VERSIONS:-v1.12.0 v1.13.9}; do
        printf 'FROM scratch\nCOPY . /\nENV TALOS_VERSION=%s\nSTOPSIGNAL SIGKILL\nENTRYPOINT ["/talos-node"]\n' "$version" |
            DOCKER_BUILDKIT=0 docker --host "$host" build --quiet --tag "tests/talos:$version" --file - "$root" >"$work/build.log" 2>&1 ||
            { cat "$work/build.log" >&2 && return 1; }
    done
}

haproxy
versitygw
talos
