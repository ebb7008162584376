// Consumes with a kafkajs group: node consume.js HOST:PORT TOPIC GROUP COUNT IDLE_MS
//
// Ends when COUNT messages have come, or, with an IDLE_MS, when none has come for so long after the first; it leaves the
// group with everything committed. Prints one JSON line: "assigned", the partitions it had at first, and "read", for each
// partition the offsets in the order in which they came.

const { Kafka, logLevel } = require('kafkajs')

const main = async (broker, topic, groupId, count, idleMs) => {
  const kafka = new Kafka({ clientId: 'tora-test', brokers: [broker], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 300 })
  let assigned
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = assigned ?? payload.memberAssignment[topic] ?? []
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const read = {}
  let seen = 0
  let idle
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          read[partition] = [...(read[partition] ?? []), Number(message.offset)]
          seen += 1
          if (seen === count) resolve()
          if (idleMs > 0) {
            clearTimeout(idle)
            idle = setTimeout(resolve, idleMs)
          }
        },
      })
      .catch(reject)
  })
  await consumer.stop()
  await consumer.disconnect()
  console.log(JSON.stringify({ assigned, read }))
}

const [broker, topic, group, count, idleMs] = process.argv.slice(2)
main(broker, topic, group, Number(count), Number(idleMs)).catch((error) => {
  console.error(error)
  process.exit(1)
})
