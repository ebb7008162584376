// The warehouse: follows the shop's topic and keeps a copy in a file, from where it stopped.
//
//	warehouse [-bootstrap HOST:PORT] [-topic NAME] [-group ID] [-instance ID] [-limit N] FILE
//
// Several share the topic, each with a copy and an instance of its own. As an instance it is known to the group when it
// comes back, and need not wait until its former self is taken for dead.
//
// A record is in the file, on the disk, before its offset is committed, so that a crash loses nothing. What a crash between
// the two would bring again is known by its offset, which stands in the file beside it.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap := flag.String("bootstrap", bootstrapDefault(), "the broker, HOST:PORT")
	topic := flag.String("topic", "shop-actions", "what to follow")
	group := flag.String("group", "warehouse", "the consumer group that remembers where it stopped")
	instance := flag.String("instance", "warehouse-1", "which of the group's warehouses this one is")
	limit := flag.Int("limit", -1, "end when the copy has so many records (default never)")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: warehouse [OPTIONS] FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, *bootstrap, *topic, *group, *instance, *limit, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func bootstrapDefault() string {
	if address, ok := os.LookupEnv("KAFKA_BOOTSTRAP"); ok {
		return address
	}
	return "127.0.0.1:9092"
}

func follow(ctx context.Context, bootstrap, topic, group, instance string, limit int, path string) error {
	copied, err := openCopy(path)
	if err != nil {
		return err
	}
	defer copied.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(group),
		kgo.InstanceID(instance),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		// A partition is not handed to another member between its records' arrival and their commit.
		kgo.BlockRebalanceOnPoll(),
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()

	for limit < 0 || copied.records < limit {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		// The client connects and tries again by itself.
		fetches.EachError(func(topic string, partition int32, err error) {
			log.Printf("%s %d: %v", topic, partition, err)
		})
		if err := copied.add(fetches.Records()); err != nil {
			return err
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			log.Printf("not committed, will be with what comes next: %v", err)
		}
		client.AllowRebalance()
	}
	return nil
}
