// What a real log of Apache Kafka 4.3 does with batches: the answers, and the files it leaves. Kept in append.txt, files.txt.
//
//   javac -cp "$LIBS/*" -d /tmp/generate Generate.java && java -cp "$LIBS/*:/tmp/generate" Generate .
//
// $LIBS: Kafka's jars, as tests/conformance gets them. The test that reads the files is tests/log/golden.rs.

import java.io.File;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.checkpoint.CleanShutdownFileHandler;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.PartitionMetadataFile;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogOffsetsListener;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class Generate {
    static final long START = 1_700_000_000_000L;
    static PrintWriter out;
    static Path root;

    static class Clock implements Time {
        long now = START;
        public long milliseconds() { return now; }
        public long nanoseconds() { return now * 1_000_000; }
        public void sleep(long ms) { now += ms; }
        public void waitObject(Object o, Supplier<Boolean> c, long d) { throw new UnsupportedOperationException(); }
    }

    static class Nobody implements Scheduler {
        public void startup() {}
        public void shutdown() {}
        public void resizeThreadPool(int n) {}
        public ScheduledFuture<?> schedule(String name, Runnable task, long delay, long period) {
            return new java.util.concurrent.ScheduledThreadPoolExecutor(1).schedule(() -> {}, 0, java.util.concurrent.TimeUnit.DAYS);
        }
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) text.append(String.format("%02x", b));
        return text.length() == 0 ? "-" : text.toString();
    }

    static byte[] bytes(MemoryRecords records) {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        return bytes;
    }

    /** One log, appended to and closed. */
    static class Scenario {
        final Clock clock = new Clock();
        final File dir;
        final UnifiedLog log;
        int epoch = 0;

        Scenario(String name, String... settings) throws Exception {
            Properties properties = new Properties();
            StringBuilder line = new StringBuilder("log " + name);
            for (String setting : settings) {
                String[] pair = setting.split("=");
                properties.put(pair[0], pair[1]);
                line.append(' ').append(setting);
            }
            out.println(line);
            dir = root.resolve(name).resolve("t-0").toFile();
            dir.mkdirs();
            log = UnifiedLog.create(dir, new LogConfig(properties), 0L, 0L, new Nobody(), new BrokerTopicStats(), clock, 60 * 60 * 1000,
                new ProducerStateManagerConfig(24 * 60 * 60 * 1000, false), 600000, new LogDirFailureChannel(1), true, Optional.empty(),
                new java.util.concurrent.ConcurrentHashMap<>(), false, LogOffsetsListener.NO_OP_OFFSETS_LISTENER);
            lead(0);
        }

        void lead(int epoch) {
            this.epoch = epoch;
            log.assignEpochStartOffset(epoch, log.logEndOffset());
            out.println("lead " + epoch);
        }

        void append(MemoryRecords records) { append(bytes(records), AppendOrigin.CLIENT); }
        void append(byte[] batch) { append(batch, AppendOrigin.CLIENT); }

        void append(byte[] batch, AppendOrigin origin) {
            clock.now += 10;
            out.println("at " + clock.now);
            out.println((origin == AppendOrigin.CLIENT ? "append " : "coordinator ") + hex(batch));
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(batch.clone()));
            try {
                if (origin == AppendOrigin.CLIENT)
                    ProduceRequest.validateRecords((short) 12, records);
                LogAppendInfo info = log.appendAsLeader(records, epoch, origin, RequestLocal.noCaching(), VerificationGuard.SENTINEL, (short) 1);
                out.println("> " + info.firstOffset() + " " + info.lastOffset() + " " + info.logAppendTime());
            } catch (RecordValidationException e) {
                StringBuilder line = new StringBuilder("> " + Errors.forException(e.invalidException()));
                e.recordErrors().forEach(error -> line.append(' ').append(error.batchIndex));
                out.println(line);
            } catch (Throwable e) {
                out.println("> " + Errors.forException(e));
            }
        }

        void close() throws Exception {
            log.close();
            File[] files = dir.listFiles();
            Arrays.sort(files);
            for (File file : files)
                if (file.isFile()) out.println("file " + file.getName() + " " + hex(Files.readAllBytes(file.toPath())));
            out.println("end");
        }
    }

    static SimpleRecord record(long timestamp, String key, String value, Header... headers) {
        return new SimpleRecord(timestamp, key == null ? null : key.getBytes(), value == null ? null : value.getBytes(), headers);
    }

    static String text(int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) text.append((char) ('a' + i * i % 7));
        return text.toString();
    }

    static MemoryRecords plain(long timestamp, int records, int length) {
        SimpleRecord[] all = new SimpleRecord[records];
        for (int i = 0; i < records; i++) all[i] = record(timestamp + i % 3, "k" + i, text(length));
        return MemoryRecords.withRecords(Compression.NONE, all);
    }

    static MemoryRecords idempotent(long id, int epoch, int sequence, int records) {
        SimpleRecord[] all = new SimpleRecord[records];
        for (int i = 0; i < records; i++) all[i] = record(START, "k", "v");
        return MemoryRecords.withIdempotentRecords(Compression.NONE, id, (short) epoch, sequence, all);
    }

    static byte[] changed(byte[] batch, java.util.function.Consumer<ByteBuffer> change) {
        byte[] copy = batch.clone();
        ByteBuffer buffer = ByteBuffer.wrap(copy);
        change.accept(buffer);
        java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
        crc.update(copy, 21, copy.length - 21);
        buffer.putInt(17, (int) crc.getValue());
        return copy;
    }

    public static void main(String[] args) throws Exception {
        Path to = Path.of(args[0]);
        root = Files.createTempDirectory("generate");
        out = new PrintWriter(to.resolve("append.txt").toFile());

        Scenario s = new Scenario("segments", "internal.segment.bytes=1000", "index.interval.bytes=100", "segment.ms=200");
        for (int i = 0; i < 30; i++) {
            if (i == 12) s.lead(3);
            s.append(plain(START + (i * 37) % 211, 1 + i % 4, i * 11 % 130));
        }
        s.append(plain(START + 5000, 1, 10));
        s.append(plain(START + 5500, 1, 10));
        s.close();

        s = new Scenario("index-full", "segment.index.bytes=48", "index.interval.bytes=10");
        for (int i = 0; i < 20; i++) s.append(plain(START + i * 10, 1, 20));
        s.close();

        s = new Scenario("no-timestamps", "internal.segment.bytes=400", "index.interval.bytes=100");
        for (int i = 0; i < 8; i++) s.append(plain(RecordBatch.NO_TIMESTAMP, 1, 50));
        s.close();

        s = new Scenario("codecs", "index.interval.bytes=200");
        Compression[] codecs = {Compression.NONE, Compression.gzip().build(), Compression.snappy().build(), Compression.lz4().build(), Compression.zstd().build()};
        for (int length : new int[] {0, 300, 3000, 150000})
            for (Compression codec : codecs)
                if (length < 100000 || codec != Compression.NONE)
                s.append(MemoryRecords.withRecords(codec,
                    record(START, "key", text(length), new RecordHeader("h", "v".getBytes()), new RecordHeader("n", null)),
                    record(START + 5, null, "x"),
                    record(START - 7, "tombstone", null)));
        s.close();

        s = new Scenario("log-append-time", "message.timestamp.type=LogAppendTime", "index.interval.bytes=10");
        for (Compression codec : codecs)
            s.append(MemoryRecords.withRecords(codec, record(5, "a", "b"), record(START * 2, "c", "d")));
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1000), (byte) 2, Compression.NONE, TimestampType.LOG_APPEND_TIME, 0, START);
        builder.append(record(START, "k", "v"));
        byte[] claims = bytes(builder.build());
        s.append(claims);
        s.close();

        s = new Scenario("uncompressed", "compression.type=uncompressed");
        for (Compression codec : codecs)
            s.append(MemoryRecords.withRecords(codec, record(START, "a", text(500)), record(START + 1, "c", "d")));
        s.close();

        s = new Scenario("producers", "internal.segment.bytes=600");
        s.append(idempotent(1, 0, 0, 1));
        s.append(idempotent(1, 0, 1, 10));
        s.append(idempotent(2, 5, 77, 2));
        s.append(idempotent(1, 0, 0, 1));
        s.append(idempotent(1, 0, 1, 10));
        s.append(idempotent(1, 0, 11, 1));
        s.append(idempotent(1, 0, 13, 1));
        s.append(idempotent(1, 1, 1, 1));
        s.append(idempotent(1, 1, 0, 1));
        s.append(idempotent(1, 0, 12, 1));
        s.append(idempotent(2, 5, 79, 1));
        s.append(idempotent(2, 5, 78, 1));
        s.append(idempotent(3, 0, Integer.MAX_VALUE - 1, 2));
        s.append(idempotent(3, 0, 0, 3));
        s.append(idempotent(3, 0, Integer.MAX_VALUE - 1, 2));
        s.append(idempotent(4, 0, Integer.MAX_VALUE - 1, 5));
        s.append(idempotent(4, 0, 3, 1));
        s.append(idempotent(4, 0, 4, 0 + 1));
        s.append(idempotent(4, 0, 6, 1));
        s.close();

        s = new Scenario("compact", "cleanup.policy=compact");
        s.append(MemoryRecords.withRecords(Compression.NONE, record(START, "a", "b"), record(START, null, "b"), record(START, null, "c")));
        s.append(MemoryRecords.withRecords(Compression.zstd().build(), record(START, null, "b"), record(START, "k", "c")));
        s.append(MemoryRecords.withRecords(Compression.NONE, record(START, "", null)));
        s.close();

        s = new Scenario("bounds", "message.timestamp.before.max.ms=1000", "message.timestamp.after.max.ms=2000", "max.message.bytes=500", "internal.segment.bytes=300");
        s.append(MemoryRecords.withRecords(Compression.NONE, record(START - 990, "a", "b"), record(START + 2010, "a", "b"), record(-1, "a", "b")));
        s.append(MemoryRecords.withRecords(Compression.NONE, record(START - 990, "a", "b")));
        s.append(MemoryRecords.withRecords(Compression.NONE, record(START, "a", "b"), record(START + 2031, "a", "b")));
        s.append(MemoryRecords.withRecords(Compression.gzip().build(), record(START + 9999, "a", "b"), record(0, "a", "b")));
        s.append(plain(START, 1, 231));
        s.append(plain(START, 1, 233));
        s.append(plain(START, 1, 431));
        s.append(plain(START, 1, 432));
        s.append(plain(START, 1, 500));
        s.close();

        s = new Scenario("malformed");
        byte[] good = bytes(MemoryRecords.withRecords(Compression.NONE, record(START, "a", "b"), record(START, "c", "d")));
        s.append(new byte[0]);
        s.append(Arrays.copyOf(good, 20));
        s.append(Arrays.copyOf(good, good.length - 1));
        byte[] two = Arrays.copyOf(good, good.length * 2);
        System.arraycopy(good, 0, two, good.length, good.length);
        s.append(two);
        byte[] flipped = good.clone();
        flipped[70] ^= 4;
        s.append(flipped);
        s.append(changed(good, b -> b.putInt(8, 30)));
        s.append(changed(good, b -> b.put(16, (byte) 9)));
        s.append(changed(good, b -> b.putLong(0, 5)));
        s.append(changed(good, b -> b.putInt(57, 3)));
        s.append(changed(good, b -> b.putInt(57, 0)));
        s.append(changed(good, b -> b.putInt(57, -1)));
        s.append(changed(good, b -> b.putInt(23, 5)));
        s.append(changed(good, b -> b.putInt(23, -1)));
        s.append(changed(good, b -> b.putInt(23, 0).putInt(57, 1)));
        s.append(changed(good, b -> b.putShort(21, (short) 0x20)));
        s.append(changed(good, b -> b.putLong(43, 5).putShort(51, (short) 0).putInt(53, -1)));
        s.append(changed(good, b -> b.put(61, (byte) 100)));
        s.append(changed(good, b -> b.put(65, (byte) 100)));
        s.append(changed(good, b -> b.putLong(35, 1)));
        s.append(good);
        s.close();

        s = new Scenario("transactions");
        s.append(bytes(MemoryRecords.withTransactionalRecords(Compression.NONE, 7, (short) 0, 0, record(START, "a", "b"))), AppendOrigin.COORDINATOR);
        s.append(bytes(MemoryRecords.withEndTransactionMarker(0, START, -1, 7, (short) 0, new EndTransactionMarker(ControlRecordType.COMMIT, 9))), AppendOrigin.COORDINATOR);
        s.append(bytes(MemoryRecords.withTransactionalRecords(Compression.NONE, 8, (short) 3, 0, record(START, "a", "b"))), AppendOrigin.COORDINATOR);
        s.close();
        out.close();

        out = new PrintWriter(to.resolve("files.txt").toFile());
        Path dir = Files.createTempDirectory("files");
        Map<TopicPartition, Long> offsets = new HashMap<>();
        offsets.put(new TopicPartition("a.b_c-d", 3), 4711L);
        File checkpoint = dir.resolve("recovery-point-offset-checkpoint").toFile();
        new OffsetCheckpointFile(checkpoint, new LogDirFailureChannel(1)).write(offsets);
        new CleanShutdownFileHandler(dir.toString()).write(42L);
        PartitionMetadataFile metadata = new PartitionMetadataFile(dir.resolve("partition.metadata").toFile(), new LogDirFailureChannel(1));
        metadata.record(Uuid.fromString("MkU3OEVBNTcwNTJENDM2Qg"));
        metadata.maybeFlush();
        Properties meta = new org.apache.kafka.metadata.properties.MetaProperties.Builder()
            .setVersion(org.apache.kafka.metadata.properties.MetaPropertiesVersion.V1).setClusterId("the-cluster").setNodeId(3)
            .setDirectoryId(Uuid.fromString("MkU3OEVBNTcwNTJENDM2Qg")).build().toProperties();
        try (java.io.OutputStream stream = Files.newOutputStream(dir.resolve("meta.properties"))) { meta.store(stream, ""); }
        File[] files = dir.toFile().listFiles();
        Arrays.sort(files);
        for (File file : files) out.println("file " + file.getName() + " " + hex(Files.readAllBytes(file.toPath())));
        out.close();
        System.exit(0);
    }
}
