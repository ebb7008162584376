"""Ships a server's log to a topic, line by line as they are written, like tail -f.

    ship.py FILE [--bootstrap HOST:PORT] [--topic NAME] [--limit N]

The key of a line is its service (`checkout` of `checkout-4`), so that one monitor sees all lines of a service.
"""

import argparse
import os
import time
from contextlib import suppress

from kafka import KafkaProducer


def follow(path):
    """The lines of a file, and those that are added to it, for ever."""
    with open(path, encoding="utf-8") as log:
        line = ""
        while True:
            line += log.readline()
            if line.endswith("\n"):
                yield line.rstrip("\n")
                line = ""
            else:
                time.sleep(0.2)


def service(line):
    """`2026-01-05T08:00:00.228Z checkout-4 INFO …` is of `checkout`."""
    return line.split(" ", 2)[1].rsplit("-", 1)[0]


def main():
    parser = argparse.ArgumentParser(description="Ships a log to a topic.")
    parser.add_argument("file")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"))
    parser.add_argument("--topic", default="service-logs")
    parser.add_argument("--limit", type=int, help="end after so many lines")
    options = parser.parse_args()

    producer = KafkaProducer(bootstrap_servers=options.bootstrap, linger_ms=20)
    # Ctrl-C ends it; closing sends what is left.
    with suppress(KeyboardInterrupt):
        for number, line in enumerate(follow(options.file), start=1):
            producer.send(options.topic, key=service(line).encode(), value=line.encode())
            if number == options.limit:
                break
    producer.close()


if __name__ == "__main__":
    main()
