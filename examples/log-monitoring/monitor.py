"""Watches the logs of all servers and says where errors pile up: more than so many of a service in a minute.

    monitor.py [--bootstrap HOST:PORT] [--topic NAME] [--group ID] [--errors N] [--limit N]

Start several: as members of one group they share the services. The minute is that of the log line, not of its arrival.
"""

import argparse
import os
from collections import Counter
from contextlib import suppress

from kafka import KafkaConsumer


def main():
    parser = argparse.ArgumentParser(description="Prints an alert when a service logs many errors in a minute.")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"))
    parser.add_argument("--topic", default="service-logs")
    parser.add_argument("--group", default="log-monitor")
    parser.add_argument("--errors", type=int, default=10, help="alert when a service has so many in a minute")
    parser.add_argument("--limit", type=int, help="end after so many lines")
    options = parser.parse_args()

    consumer = KafkaConsumer(
        options.topic,
        bootstrap_servers=options.bootstrap,
        group_id=options.group,
        auto_offset_reset="earliest",
    )
    errors = Counter()
    # Ctrl-C ends it; closing commits and leaves the group, so that the others need not miss it first.
    with suppress(KeyboardInterrupt):
        for number, record in enumerate(consumer, start=1):
            moment, _, level, _ = record.value.decode().split(" ", 3)
            if level == "ERROR":
                service, minute = record.key.decode(), moment[: len("2026-01-05T08:00")]
                errors[service, minute] += 1
                if errors[service, minute] == options.errors:
                    print(f"ALERT {minute} {service}: {options.errors} errors", flush=True)
            if number == options.limit:
                break
    consumer.close()


if __name__ == "__main__":
    main()
