#!/usr/bin/env bash
# Installs what the test needs that looks at a report: Chromium from the distribution, and playwright-core from npm into
# .cache/ (ignored by git). Prints the folder to run look.js in. Nothing is done twice, and two at once wait for each
# other. Without root, sudo is not used: it says what to install.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# A changed script or version is a new folder.
folder=$(cd "$here/../../.." && pwd)/.cache/reader/$(cat "$here/package-lock.json" "$here/look.js" | sha256sum | cut -c1-12)

# need PROGRAM PACKAGE… : installs the packages if the program is missing.
need() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    if [ "$(id -u)" != 0 ]; then
        echo "$program is missing; install it: sudo apt-get install $*" >&2
        exit 1
    fi
    echo "installing $*" >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

mkdir -p "$folder"
(
    flock 9
    need node nodejs
    need npm npm
    need chromium chromium
    if ! [ -e "$folder/.complete" ]; then
        cp "$here/package.json" "$here/package-lock.json" "$here/look.js" "$folder/"
        npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >&2
        touch "$folder/.complete"
    fi
) 9>"$folder/.lock"
echo "$folder"
