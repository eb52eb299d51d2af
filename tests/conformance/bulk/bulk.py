"""bulk.py BROKER TOPIC RECORDS BYTES: kafka-python produces RECORDS records of BYTES bytes to one partition, reads them back, and wants every one, in order, once."""
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

broker, topic, records, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def value(i):
    return b'%010d' % i + b'.' * (size - 10)


producer = KafkaProducer(bootstrap_servers=broker, acks='all', linger_ms=5, batch_size=256 * 1024, max_block_ms=120_000)
futures = [producer.send(topic, value(i), partition=0) for i in range(records)]
producer.flush(240)
for i, future in enumerate(futures):
    assert future.get(1).offset == i, f'record {i} is at {future.value.offset}'
producer.close()

consumer = KafkaConsumer(bootstrap_servers=broker, group_id=None, auto_offset_reset='earliest', consumer_timeout_ms=30_000)
partition = TopicPartition(topic, 0)
consumer.assign([partition])
consumer.seek_to_beginning(partition)
following = 0
for record in consumer:
    assert record.offset == following and record.value == value(following), f'offset {record.offset} holds {record.value[:10]}, {following} was expected'
    following += 1
    if following == records:
        break
assert following == records, f'read {following} of {records}'
assert consumer.end_offsets([partition])[partition] == records
print('all there, in order, once')
