#!/usr/bin/env bash
# Builds Versity's S3 gateway into a folder of images: `versitygw.sh FOLDER`. It takes minutes the first time.
set -euo pipefail

work=$(mkdir -p "$1" && cd "$1" && pwd)
quietly=$(cd "$(dirname "$0")/../../scripts" && pwd)/quietly.sh
mkdir -p "$work/versitygw/app"
GOBIN=$work/versitygw/app CGO_ENABLED=0 "$quietly" go install -ldflags=-s github.com/versity/versitygw/cmd/versitygw@v1.8.0
