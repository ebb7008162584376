#!/usr/bin/env bash
# Runs one Apache Kafka broker (KRaft, no ZooKeeper) in the foreground, on a folder of its own.
#
#   start.sh FOLDER PORT CONTROLLER_PORT [PROPERTY=VALUE]…
#
# The broker listens on 127.0.0.1:PORT. FOLDER is formatted first if it is new. What is missing on the machine is
# installed: Java and Maven from the distribution, Kafka from Maven Central into .cache/ (ignored by git). The script
# turns into the broker's process, so that its pid is the broker's, and SIGTERM stops it.
#
#   start.sh --install-only
#
# does no more than the installing.
set -euo pipefail

version=4.3.1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
libs=$root/.cache/kafka/$version/libs
. "$root/.ci/packages.sh"

install_tools() {
    need java default-jre-headless && need mvn maven
}

install_kafka() {
    [ -e "$libs/.complete" ] && return
    mkdir -p "$libs"
    # Two tests at once must not copy at once.
    exec 9>"$libs/.lock"
    flock 9
    if ! [ -e "$libs/.complete" ]; then
        install_tools
        retry mvn -q -B -f "$here/pom.xml" -Dkafka.version=$version dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$libs" >&2
        touch "$libs/.complete"
    fi
    exec 9>&-
}

install_kafka
command -v java >/dev/null || install_tools
[ "${1:-}" = --install-only ] && exit

folder=${1:?a folder for the data}
port=${2:?a port for clients}
controller_port=${3:?a port for the controller}
shift 3

mkdir -p "$folder"
properties=$folder/server.properties
{
    echo "process.roles=broker,controller"
    echo "node.id=1"
    echo "controller.quorum.voters=1@127.0.0.1:$controller_port"
    echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port"
    echo "advertised.listeners=PLAINTEXT://127.0.0.1:$port"
    echo "controller.listener.names=CONTROLLER"
    echo "log.dirs=$folder/log"
    echo "offsets.topic.replication.factor=1"
    echo "transaction.state.log.replication.factor=1"
    echo "transaction.state.log.min.isr=1"
    printf '%s\n' "$@"
} >"$properties"

java_options=(-Xmx1g -Xms256m -XX:+UseG1GC -cp "$libs/*")
if ! [ -e "$folder/log/meta.properties" ]; then
    java "${java_options[@]}" kafka.tools.StorageTool format --config "$properties" \
        --cluster-id "$(java "${java_options[@]}" kafka.tools.StorageTool random-uuid)" >&2
fi
exec java "${java_options[@]}" kafka.Kafka "$properties"
