"""Sends sensors' readings to a topic: each line of a CSV file, with the kind of reading as its key.

    readings.py FILE [--bootstrap HOST:PORT] [--topic NAME] [--limit N]

A line is time in ms, device, kind, reading, battery, state, signal. All readings of a kind are in one partition, in order.
"""

import argparse
import os
import sys

from confluent_kafka import Producer


def main():
    parser = argparse.ArgumentParser(description="Sends sensors' readings to a topic.")
    parser.add_argument("file")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"))
    parser.add_argument("--topic", default="readings")
    parser.add_argument("--limit", type=int, help="end after so many readings")
    options = parser.parse_args()

    failed = []
    producer = Producer({"bootstrap.servers": options.bootstrap})
    with open(options.file, encoding="utf-8") as readings:
        for number, line in enumerate(readings, start=1):
            line = line.rstrip("\n")
            kind = line.split(",")[2]
            producer.produce(
                options.topic, key=kind, value=line, on_delivery=lambda error, _: error and failed.append(error)
            )
            producer.poll(0)
            if number == options.limit:
                break
    producer.flush()
    if failed:
        sys.exit(f"{len(failed)} readings were not delivered, the first: {failed[0]}")


if __name__ == "__main__":
    main()
