// bulk BROKER TOPIC RECORDS BYTES: creates TOPIC with one partition, produces RECORDS records of BYTES bytes, each beginning with its number, then
// reads them back and wants every one, in order, once. Prints "half" when half of them are acknowledged.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func fail(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		fail("%v", err)
	}
	return n
}

func main() {
	if len(os.Args) != 5 {
		fail("usage: bulk BROKER TOPIC RECORDS BYTES")
	}
	broker, topic, records, bytes := os.Args[1], os.Args[2], number(os.Args[3]), number(os.Args[4])
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	producer, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(50_000))
	if err != nil {
		fail("%v", err)
	}
	create := kmsg.NewCreateTopicsRequest()
	created := kmsg.NewCreateTopicsRequestTopic()
	created.Topic, created.NumPartitions, created.ReplicationFactor = topic, 1, 1
	create.Topics = append(create.Topics, created)
	answer, err := create.RequestWith(ctx, producer)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		fail("CreateTopics: %v", err)
	}

	var acked atomic.Int64
	for i := 0; i < records; i++ {
		value := make([]byte, bytes)
		copy(value, fmt.Sprintf("%010d", i))
		producer.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				fail("record %d: %v", i, err)
			}
			if acked.Add(1) == int64(records/2) {
				fmt.Println("half")
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		fail("flush: %v", err)
	}
	producer.Close()
	if acked.Load() != int64(records) {
		fail("%d of %d acknowledged", acked.Load(), records)
	}

	consumer, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		fail("%v", err)
	}
	defer consumer.Close()
	next := 0
	for next < records {
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			fail("read %d of %d records in time", next, records)
		}
		fetches.EachError(func(_ string, _ int32, err error) { fail("fetch: %v", err) })
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) != bytes || string(r.Value[:10]) != fmt.Sprintf("%010d", next) || r.Offset != int64(next) {
				fail("offset %d holds %q where %d was expected", r.Offset, r.Value[:min(10, len(r.Value))], next)
			}
			next++
		})
	}
	end := kmsg.NewListOffsetsRequest()
	listed, partition := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	partition.Timestamp = -1
	listed.Topic, listed.Partitions = topic, append(listed.Partitions, partition)
	end.ReplicaID, end.Topics = -1, append(end.Topics, listed)
	for _, shard := range consumer.RequestSharded(ctx, &end) {
		if shard.Err != nil {
			fail("ListOffsets: %v", shard.Err)
		}
		if at := shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset; at != int64(records) {
			fail("the log ends at %d, %d were produced", at, records)
		}
	}
	fmt.Println("all there, in order, once")
}
