#!/usr/bin/env bash
# Installs what the test needs that looks at a report: Chromium from the distribution, and playwright-core from npm into
# .cache/ (ignored by git). Prints the folder to run look.js in. Nothing is done twice, and two at once wait for each
# other. Without root, sudo is not used: it says what to install.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
. "$root/.ci/packages.sh"
# A changed script or version is a new folder.
folder=$root/.cache/reader/$(cat "$here/package-lock.json" "$here/look.js" | sha256sum | cut -c1-12)

mkdir -p "$folder"
(
    flock 9
    need node nodejs
    need npm npm
    need chromium chromium
    if ! [ -e "$folder/.complete" ]; then
        cp "$here/package.json" "$here/package-lock.json" "$here/look.js" "$folder/"
        retry npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >&2
        touch "$folder/.complete"
    fi
) 9>"$folder/.lock"
echo "$folder"
