#!/usr/bin/env bash
# Packs built programs of the Flux plugin as `flux plugin install` takes them: an archive for each platform, their checksums, and the
# manifest that a plugin catalog has of them.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

usage() {
  cat <<'TEXT'
Packs the Flux plugin for a release.

usage: scripts/release-plugin.sh vVERSION FOLDER PLATFORM=PROGRAM...

  vVERSION           the release's tag: v and the version in Cargo.toml
  FOLDER             where to write; it must be empty, or not be there
  PLATFORM=PROGRAM   linux_amd64=target/release/flux-inferadb; darwin, linux or windows, and amd64 or arm64

Writes flux-inferadb_VERSION_PLATFORM.tar.gz (windows: .zip), flux-inferadb_VERSION_checksums.txt and inferadb.yaml. The same
programs give the same bytes.

Variables: REPOSITORY         whose release it is (https://github.com/inferadb/deploy)
           PREVIOUS           the manifest of the release before: its versions stay in the new one
           SOURCE_DATE_EPOCH  the time of files in the archives, in seconds; that of the commit unless given
TEXT
}

refuse() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

case ${1:-} in -h | --help) usage && exit ;; esac
if [ $# -lt 3 ]; then
  usage >&2
  exit 2
fi
tag=$1 folder=$2
shift 2

number='(0|[1-9][0-9]*)'
[[ $tag =~ ^v$number\.$number\.$number(-[0-9A-Za-z.-]+)?$ ]] ||
  refuse "'$tag' is no tag of a release: write v and a version of three numbers, such as v0.1.0"
version=${tag#v}
built=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/Cargo.toml" | head -n 1)
[ "$version" = "$built" ] || refuse "the tag is $tag, and Cargo.toml has version $built: the programs would say so"

repository=${REPOSITORY:-https://github.com/inferadb/deploy}
[[ $repository =~ ^https://[^/]+/.*[^/]$ ]] || refuse "REPOSITORY is '$repository': give an https:// address without / at its end"
previous=${PREVIOUS:-}
if [ -n "$previous" ]; then
  grep -qx 'versions:' "$previous" 2>/dev/null || refuse "PREVIOUS is '$previous', which is no manifest that this made"
  ! grep -qxF "  - version: $version" "$previous" || refuse "'$previous' has version $version already"
fi
if [ -e "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
  refuse "'$folder' is not empty: a release is written into a folder of its own"
fi

# BSD's tar cannot leave out who packed it, and when.
tar=tar
if command -v gtar >/dev/null; then tar=gtar; fi
$tar --version 2>/dev/null | grep -q 'GNU tar' || refuse "GNU tar is not installed (macOS: brew install gnu-tar)"
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi

# The bytes of a file from an offset, in hex.
bytes() {
  od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'
}

# Which platform a program runs on, by its first bytes.
platform_of() {
  local at
  case $(bytes "$1" 0 4) in
    7f454c46)
      case $(bytes "$1" 18 2) in 3e00) echo linux_amd64 ;; b700) echo linux_arm64 ;; esac
      ;;
    cffaedfe)
      case $(bytes "$1" 4 4) in 07000001) echo darwin_amd64 ;; 0c000001) echo darwin_arm64 ;; esac
      ;;
    4d5a*)
      at=$((16#$(bytes "$1" 61 1)$(bytes "$1" 60 1)))
      case $(bytes "$1" $((at + 4)) 2) in 6486) echo windows_amd64 ;; 64aa) echo windows_arm64 ;; esac
      ;;
  esac
}

platforms=()
programs=()
for given in "$@"; do
  platform=${given%%=*} program=${given#*=}
  case $platform=$program in
    darwin_amd64=?* | darwin_arm64=?* | linux_amd64=?* | linux_arm64=?* | windows_amd64=?* | windows_arm64=?*) ;;
    *) refuse "'$given': write it as PLATFORM=PROGRAM, such as linux_amd64=target/release/flux-inferadb" ;;
  esac
  [ -f "$program" ] || refuse "$platform: there is no program '$program': build it first"
  is=$(platform_of "$program")
  [ "$is" = "$platform" ] || refuse "$platform: '$program' is a program for ${is:-something else}"
  for other in ${platforms[@]+"${platforms[@]}"}; do
    [ "$other" != "$platform" ] || refuse "$platform is given twice"
  done
  platforms+=("$platform")
  programs+=("$program")
done

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || echo 315619200)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/out"

for place in "${!platforms[@]}"; do
  platform=${platforms[$place]} stage=$scratch/${platforms[$place]}
  name=flux-inferadb_${version}_$platform
  mkdir "$stage"
  cp "$here/LICENSE" "$stage/LICENSE"
  chmod 644 "$stage/LICENSE"
  case $platform in
    windows_*)
      command -v zip >/dev/null || refuse "zip is not installed, which Windows' archive takes"
      install -m 755 "${programs[$place]}" "$stage/flux-inferadb.exe"
      # zip keeps the hour of the time zone that it runs in.
      TZ=UTC touch -d "@$epoch" "$stage/LICENSE" "$stage/flux-inferadb.exe"
      (cd "$stage" && TZ=UTC zip -q -X "$scratch/out/$name.zip" LICENSE flux-inferadb.exe)
      ;;
    *)
      install -m 755 "${programs[$place]}" "$stage/flux-inferadb"
      $tar --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
        -C "$stage" -cf - LICENSE flux-inferadb | gzip -9 -n >"$scratch/out/$name.tar.gz"
      ;;
  esac
done

checksums=flux-inferadb_${version}_checksums.txt
(cd "$scratch/out" && LC_ALL=C "${sum[@]}" -- * >"$scratch/checksums" && mv "$scratch/checksums" "$checksums")

{
  cat <<TEXT
  - version: $version
    platforms:
TEXT
  while read -r checksum archive; do
    platform=${archive#"flux-inferadb_${version}_"}
    platform=${platform%.tar.gz}
    platform=${platform%.zip}
    cat <<TEXT
      - os: ${platform%_*}
        arch: ${platform#*_}
        url: $repository/releases/download/$tag/$archive
        checksum: sha256:$checksum
TEXT
  done <"$scratch/out/$checksums"
  if [ -n "$previous" ]; then sed '1,/^versions:$/d' "$previous"; fi
} >"$scratch/versions"

# Flux installs the first one where nobody names a version: the newest release, and behind all releases what comes before one.
versions=$(sed -n 's/^  - version: //p' "$scratch/versions")
ordered=$(grep -v -- - <<<"$versions" | sort -rV || true; grep -- - <<<"$versions" | sort -rV || true)
{
  cat <<TEXT
apiVersion: cli.fluxcd.io/v1beta1
kind: Plugin
name: inferadb
description: Builds, validates and compares a whole Flux fleet offline, and adds regions to it
homepage: $repository
source: $repository
bin: flux-inferadb
versions:
TEXT
  while read -r one; do
    awk -v one="  - version: $one" '/^  - version: / { inside = $0 == one } inside' "$scratch/versions"
  done <<<"$ordered"
} >"$scratch/out/inferadb.yaml"

mkdir -p "$folder"
cp "$scratch/out/"* "$folder/"
cat "$folder/$checksums"
