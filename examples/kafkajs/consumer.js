// Prints what arrives: node consumer.js [--bootstrap HOST:PORT] [--topic NAME] [--group ID] [--limit N]
//
// Start several, and they share the topic's partitions. With a limit it ends after so many messages.

const { parseArgs } = require('node:util')
const { Kafka, logLevel } = require('kafkajs')

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string', default: process.env.KAFKA_BOOTSTRAP ?? '127.0.0.1:9092' },
    topic: { type: 'string', default: 'greetings' },
    group: { type: 'string', default: 'my-group' },
    limit: { type: 'string', default: 'Infinity' },
  },
})

const kafka = new Kafka({ clientId: 'my-app', brokers: [options.bootstrap], logLevel: logLevel.WARN })
const consumer = kafka.consumer({ groupId: options.group })

const main = async () => {
  await consumer.connect()
  await consumer.subscribe({ topic: options.topic, fromBeginning: true })
  let left = Number(options.limit)
  const done = new Promise((resolve) => {
    // Ctrl-C
    process.once('SIGINT', resolve)
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        console.log(`${partition} ${message.offset} ${message.key} ${message.value}`)
        left -= 1
        if (left === 0) resolve()
      },
    })
  })
  await done
  // Commits what was read and leaves the group.
  await consumer.disconnect()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
