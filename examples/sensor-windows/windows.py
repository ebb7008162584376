"""Averages sensors' readings by kind over tumbling windows, and writes the averages to another topic.

    windows.py [--bootstrap HOST:PORT] [--from NAME] [--to NAME] [--group ID] [--seconds S] [--limit N | --to-end]

Time is that of the readings. A window of a partition is closed by the first reading after it; a reading that comes later
still is counted as late and left out. What is committed is where the open window begins, once the averages of the closed
one are stored: a window that a crash cut off is read again, whole.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition


class Window:
    """The open window of one partition."""

    def __init__(self, start_ms):
        self.start_ms = start_ms
        self.readings = defaultdict(list)

    def averages(self, length_ms):
        for kind, readings in self.readings.items():
            yield {
                "kind": kind,
                "window_start_ms": self.start_ms,
                "window_end_ms": self.start_ms + length_ms,
                "readings": len(readings),
                "average": round(sum(readings) / len(readings), 3),
            }


class Averages:
    """What is done with each reading."""

    def __init__(self, consumer, producer, topic, length_ms):
        self.consumer, self.producer, self.topic, self.length_ms = consumer, producer, topic, length_ms
        self.open = {}
        self.late = 0

    def add(self, message):
        time_ms, _, kind, reading, *_ = message.value().decode().split(",")
        start_ms = int(time_ms) - int(time_ms) % self.length_ms
        window = self.open.get(message.partition())
        if window is not None and start_ms < window.start_ms:
            self.late += 1
            return
        if window is None or start_ms > window.start_ms:
            if window is not None:
                self.close(window, message)
            window = self.open[message.partition()] = Window(start_ms)
        window.readings[kind].append(float(reading))

    def close(self, window, first_after):
        """Stores a window's averages; then, and only then, the group need not read it again."""
        for average in window.averages(self.length_ms):
            self.producer.produce(self.topic, key=average["kind"], value=json.dumps(average), on_delivery=stored)
        self.producer.flush()
        position = TopicPartition(first_after.topic(), first_after.partition(), first_after.offset())
        self.consumer.commit(offsets=[position], asynchronous=False)

    def forget(self, _consumer, partitions):
        """Another member of the group takes these over, from where their open windows begin."""
        for partition in partitions:
            self.open.pop(partition.partition, None)


def stored(error, _message):
    if error is not None:
        raise KafkaException(error)


def follow(consumer, limit, to_end):
    """The readings as they come: all, the first so many, or those up to where the topic ends now."""
    number, at_end = 0, set()
    while limit is None or number < limit:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is None:
            yield message
            number += 1
        elif message.error().code() == KafkaError._PARTITION_EOF:
            at_end.add(message.partition())
            if to_end and len(at_end) == len(consumer.assignment()):
                return
        elif not message.error().retriable():
            raise KafkaException(message.error())


def main():
    parser = argparse.ArgumentParser(description="Averages readings over tumbling windows.")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"))
    parser.add_argument("--from", dest="source", default="readings")
    parser.add_argument("--to", default="averages")
    parser.add_argument("--group", default="windows")
    parser.add_argument("--seconds", type=int, default=10, help="a window's length")
    bound = parser.add_mutually_exclusive_group()
    bound.add_argument("--limit", type=int, help="end after so many readings")
    bound.add_argument("--to-end", action="store_true", help="end when everything stored now has been read")
    options = parser.parse_args()

    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    producer = Producer({"bootstrap.servers": options.bootstrap})
    averages = Averages(consumer, producer, options.to, options.seconds * 1000)
    consumer.subscribe([options.source], on_revoke=averages.forget)
    # Ctrl-C ends it; closing leaves the group.
    with suppress(KeyboardInterrupt):
        for message in follow(consumer, options.limit, options.to_end):
            averages.add(message)
    consumer.close()
    if averages.late:
        print(f"{averages.late} readings came too late and were left out", file=sys.stderr)


if __name__ == "__main__":
    main()
