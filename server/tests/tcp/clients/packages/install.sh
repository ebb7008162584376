#!/usr/bin/env bash
# Installs a client that the tests run, with what it needs, and prints where it lies.
#
#   install.sh kcat          the distribution's package; prints the program
#   install.sh kafkajs       from npm into .cache/kafkajs; prints the folder to run Node.js in
#   install.sh kafka-tools   from Maven Central into .cache/kafka-tools; prints the folder of jars
#   install.sh kafka-core    Apache Kafka itself, as the load generator's tests run it; prints the folder of jars
#
# Nothing is done twice, and two at once wait for each other. Without root, sudo is not used: it says what to install.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../../../../.." && pwd)/.cache

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
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

kafka_tools() {
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1"
}

case ${1:-} in
kcat)
    need kcat kcat
    command -v kcat
    ;;
kafkajs)
    need node nodejs
    need npm npm
    # A changed script or version is a new folder.
    folder=$cache/kafkajs/$(cat "$here/package-lock.json" "$here"/*.js | sha256sum | cut -c1-12)
    once "$folder" kafkajs "$folder"
    echo "$folder"
    ;;
kafka-tools)
    need java default-jre-headless
    need mvn maven
    folder=$cache/kafka-tools/$(sha256sum <"$here/pom.xml" | cut -c1-12)
    once "$folder" kafka_tools "$folder"
    echo "$folder"
    ;;
kafka-core)
    "$here/../../../../../loadgen/tests/kafka/start.sh" --install-only >&2
    echo "$cache/kafka/4.3.1/libs"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
