"""confluent-kafka (librdkafka) as the tests drive it:

    confluent_client.py version
    confluent_client.py produce HOST:PORT TOPIC               each line of the input
    confluent_client.py consume HOST:PORT TOPIC GROUP COUNT   prints each value
"""

import sys

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer


def version():
    print(f"{confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})")


def produce(broker, topic):
    failed = []
    producer = Producer({"bootstrap.servers": broker})
    for line in sys.stdin:
        producer.produce(topic, line.rstrip("\n"), on_delivery=lambda error, _: error and failed.append(error))
    producer.flush()
    if failed:
        sys.exit(f"{len(failed)} records failed, the first: {failed[0]}")


def consume(broker, topic, group, count):
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 100,
        }
    )
    consumer.subscribe([topic])
    read = 0
    while read < int(count):
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        print(message.value().decode(), flush=True)
        read += 1
    consumer.close()


if __name__ == "__main__":
    {"version": version, "produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
