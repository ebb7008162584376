#!/usr/bin/env bash
# Puts the rows that the last run of the tests left in target/clients together: docs/clients.md.
#
#   table.sh clear    forgets the rows of earlier runs
#   table.sh          writes the table, and says so if that changed it
set -euo pipefail
cd "$(dirname "$0")/../../../.."
rows=${CARGO_TARGET_DIR:-target}/clients

if [ "${1:-}" = clear ]; then
    rm -rf "$rows"
    exit
fi
compgen -G "$rows/*.row" >/dev/null || {
    echo "there are no rows in $rows: no client has run" >&2
    exit 1
}
table=docs/clients.md
before=$(cat "$table" 2>/dev/null || true)
mkdir -p docs
{
    cat <<'HEAD'
# Clients

Real clients, unchanged, against Tora: what `./test` makes each of them do, and how that went when it last ran. The run
writes this table.

"A group across kill -9" is: it produces; a consumer in a group reads and commits; the broker is killed and started again
under it; it produces more; the same consumer reads on, each record once; and a second consumer of the group goes on where
the first one stopped.

| client | version | what was run | result |
| --- | --- | --- | --- |
HEAD
    LC_ALL=C sort -f "$rows"/*.row
} >"$table"
if [ "$before" != "$(cat "$table")" ]; then
    echo "*** $table has changed with this run; commit it as it came out"
fi
