"""kafka-python as the tests drive it:

    kafka_python_client.py version
    kafka_python_client.py produce HOST:PORT TOPIC               each line of the input
    kafka_python_client.py consume HOST:PORT TOPIC GROUP COUNT   prints each value
"""

import sys

import kafka
from kafka import KafkaConsumer, KafkaProducer


def version():
    print(kafka.__version__)


def produce(broker, topic):
    producer = KafkaProducer(bootstrap_servers=broker)
    sent = [producer.send(topic, line.rstrip("\n").encode()) for line in sys.stdin]
    producer.flush()
    for future in sent:
        future.get(timeout=30)
    producer.close()


def consume(broker, topic, group, count):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=100,
    )
    for read, message in enumerate(consumer, start=1):
        print(message.value.decode(), flush=True)
        if read == int(count):
            break
    consumer.close()


if __name__ == "__main__":
    {"version": version, "produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
