// Produces numbered messages with kafkajs: node produce.js HOST:PORT TOPIC COUNT none|gzip acks|idempotent
//
// Prints one JSON line: for each partition the base offsets that the broker gave, in the order of the batches.

const { CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs')

const BATCH = 100

const main = async (broker, topic, count, codec, mode) => {
  const kafka = new Kafka({
    clientId: 'tora-test',
    brokers: [broker],
    logLevel: logLevel.ERROR,
    retry: { retries: 3 },
  })
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: mode === 'idempotent',
  })
  await producer.connect()
  const compression = codec === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
  const offsets = {}
  for (let sent = 0; sent < count; sent += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, count - sent) }, (_, i) => ({
      key: `key-${sent + i}`,
      value: `value-${sent + i}`,
      headers: { number: String(sent + i) },
    }))
    const answers = await producer.send({ topic, messages, compression, acks: -1 })
    for (const { topicName, partition, errorCode, baseOffset } of answers) {
      if (topicName !== topic || errorCode !== 0) throw new Error(`${topicName}: error ${errorCode}`)
      offsets[partition] = [...(offsets[partition] ?? []), Number(baseOffset)]
    }
  }
  await producer.disconnect()
  console.log(JSON.stringify(offsets))
}

const [broker, topic, count, codec, mode] = process.argv.slice(2)
main(broker, topic, Number(count), codec, mode).catch((error) => {
  console.error(error)
  process.exit(1)
})
