// Sends a greeting every second: node producer.js [--bootstrap HOST:PORT] [--topic NAME] [--limit N]
//
// With a limit it sends that many at once and ends.

const { parseArgs } = require('node:util')
const { setTimeout: sleep } = require('node:timers/promises')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string', default: process.env.KAFKA_BOOTSTRAP ?? '127.0.0.1:9092' },
    topic: { type: 'string', default: 'greetings' },
    limit: { type: 'string' },
  },
})

const kafka = new Kafka({ clientId: 'my-app', brokers: [options.bootstrap], logLevel: logLevel.WARN })
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })

const greeting = (number) => ({ key: `visitor-${number % 10}`, value: `Hello ${number}` })

const main = async () => {
  await producer.connect()
  if (options.limit) {
    const messages = Array.from({ length: Number(options.limit) }, (_, number) => greeting(number))
    await producer.send({ topic: options.topic, messages })
  } else {
    for (let number = 0; ; number += 1) {
      await producer.send({ topic: options.topic, messages: [greeting(number)] })
      await sleep(1000)
    }
  }
  await producer.disconnect()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
