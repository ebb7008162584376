// The shop: writes what its visitors do, a line of JSON each, to a topic.
//
//	shop [-bootstrap HOST:PORT] [-topic NAME] [-from LINE] [-limit N] FILE
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap := flag.String("bootstrap", bootstrapDefault(), "the broker, HOST:PORT")
	topic := flag.String("topic", "shop-actions", "where to write")
	from := flag.Int("from", 0, "leave out so many lines at first")
	limit := flag.Int("limit", -1, "end after so many lines (default all)")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: shop [OPTIONS] FILE")
	}
	if err := write(*bootstrap, *topic, flag.Arg(0), *from, *limit); err != nil {
		log.Fatal(err)
	}
}

func bootstrapDefault() string {
	if address, ok := os.LookupEnv("KAFKA_BOOTSTRAP"); ok {
		return address
	}
	return "127.0.0.1:9092"
}

func write(bootstrap, topic, path string, from, limit int) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic(topic),
		kgo.AllowAutoTopicCreation(),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	var records []*kgo.Record
	lines := bufio.NewScanner(file)
	for number := 0; lines.Scan() && (limit < 0 || number < from+limit); number++ {
		if number < from {
			continue
		}
		var action struct{ Session string }
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil {
			return err
		}
		// All that a visitor does is in one partition, in order.
		records = append(records, &kgo.Record{Key: []byte(action.Session), Value: append([]byte(nil), lines.Bytes()...)})
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return client.ProduceSync(context.Background(), records...).FirstErr()
}
