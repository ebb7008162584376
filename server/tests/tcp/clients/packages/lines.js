// kafkajs as the tests drive it:
//
//     node lines.js produce HOST:PORT TOPIC               each line of the input
//     node lines.js consume HOST:PORT TOPIC GROUP COUNT   prints each value

const { createInterface } = require('node:readline')
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const client = (broker) => new Kafka({ clientId: 'tora-test', brokers: [broker], logLevel: logLevel.ERROR })

const produce = async (broker, topic) => {
  const producer = client(broker).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const messages = []
  for await (const value of createInterface({ input: process.stdin })) messages.push({ value })
  await producer.send({ topic, messages })
  await producer.disconnect()
}

const consume = async (broker, topic, groupId, count) => {
  const consumer = client(broker).consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let read = 0
  await new Promise((resolve, reject) => {
    // It starts again by itself after what can pass.
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    const eachMessage = async ({ message }) => {
      console.log(String(message.value))
      read += 1
      if (read === Number(count)) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
}

const [verb, ...rest] = process.argv.slice(2)
const verbs = { produce, consume }
// After it has connected anew, kafkajs leaves a connection open that would keep the process.
verbs[verb](...rest).then(
  () => process.exit(0),
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
