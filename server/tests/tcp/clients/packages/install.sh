#!/usr/bin/env bash
# Installs a client that the tests run, with what it needs, and prints where it lies.
#
#   install.sh kcat          the distribution's package; prints the program
#   install.sh kafkajs       from npm into .cache/kafkajs; prints the folder to run Node.js in
#   install.sh kafka-tools   from Maven Central into .cache/kafka-tools; prints the folder of jars
#   install.sh kafka-core    Apache Kafka itself, as the load generator's tests run it; prints the folder of jars
#   install.sh python        confluent-kafka and kafka-python from PyPI into .cache/python; prints the interpreter
#   install.sh rdkafka       rust-rdkafka with the librdkafka it brings, built into .cache/rdkafka; prints the program
#   install.sh kafkajs-example, integration-example
#                            the examples, with what they need; prints the folder of scripts or programs
#
# Nothing is done twice, and two at once wait for each other. Without root, sudo is not used: it says what to install.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../../.." && pwd)
cache=$root/.cache
examples=$root/examples
. "$root/.ci/packages.sh"

# once FOLDER COMMAND… : runs the command with FOLDER made, unless it has succeeded before.
once() {
    local folder=$1
    shift
    [ -e "$folder/.complete" ] && return
    mkdir -p "$folder"
    (
        flock 9
        if ! [ -e "$folder/.complete" ]; then
            "$@" >&2
            touch "$folder/.complete"
        fi
    ) 9>"$folder/.lock"
}

kafkajs() {
    cp "$here/package.json" "$here/package-lock.json" "$here"/*.js "$1/"
    retry npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

kafka_tools() {
    retry mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1"
}

python_client() {
    python3 -m venv "$1/venv"
    retry "$1/venv/bin/pip" install -q --disable-pip-version-check --require-hashes \
        -r "$examples/log-monitoring/requirements.txt" -r "$examples/sensor-windows/requirements.txt"
}

# Everything but the program itself is built once, whatever changes in it.
rust_client() {
    echo "building rust-rdkafka and its librdkafka, a few minutes the first time…"
    (cd "$here/rdkafka-client" && retry cargo build --locked --target-dir "$cache/rdkafka/target")
    cp "$cache/rdkafka/target/debug/rdkafka-client" "$1/"
}

kafkajs_example() {
    cp "$examples/kafkajs"/package*.json "$examples/kafkajs"/*.js "$1/"
    retry npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

integration_example() {
    (cd "$examples/integration" && retry go build -mod=readonly -o "$1/" ./...)
}

# folder NAME FILE… : the folder in the cache for a client as these files make it: a changed one is a new folder.
folder() {
    local name=$1
    shift
    echo "$cache/$name/$(cat "$@" | sha256sum | cut -c1-12)"
}

case ${1:-} in
kcat)
    need kcat kcat
    command -v kcat
    ;;
kafkajs)
    need node nodejs
    need npm npm
    folder=$(folder kafkajs "$here/package-lock.json" "$here"/*.js)
    once "$folder" kafkajs "$folder"
    echo "$folder"
    ;;
kafka-tools)
    need java default-jre-headless
    need mvn maven
    folder=$(folder kafka-tools "$here/pom.xml")
    once "$folder" kafka_tools "$folder"
    echo "$folder"
    ;;
kafka-core)
    "$here/../../../../../loadgen/tests/kafka/start.sh" --install-only >&2
    echo "$cache/kafka/4.3.1/libs"
    ;;
python)
    need python3 python3
    # Debian's Python comes without what makes an environment.
    python3 -c 'import venv, ensurepip' 2>/dev/null || need python3-venv python3-venv
    folder=$(folder python "$examples"/*/requirements.txt)
    once "$folder" python_client "$folder"
    echo "$folder/venv/bin/python"
    ;;
rdkafka)
    need cc build-essential
    need make build-essential
    command -v cargo >/dev/null || {
        echo "cargo is missing; install Rust: https://rustup.rs" >&2
        exit 1
    }
    folder=$(folder rdkafka "$here"/rdkafka-client/Cargo.* "$here"/rdkafka-client/src/*.rs)
    once "$folder" rust_client "$folder"
    echo "$folder/rdkafka-client"
    ;;
kafkajs-example)
    need node nodejs
    need npm npm
    folder=$(folder kafkajs-example "$examples"/kafkajs/*.js*)
    once "$folder" kafkajs_example "$folder"
    echo "$folder"
    ;;
integration-example)
    # Debian's is too old.
    command -v go >/dev/null || {
        echo "go is missing; install Go 1.26 or later: https://go.dev" >&2
        exit 1
    }
    folder=$(folder integration-example "$examples"/integration/go.* "$examples"/integration/*/*.go)
    once "$folder" integration_example "$folder"
    echo "$folder"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
