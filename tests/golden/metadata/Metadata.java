import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/** Prints metadata records as Kafka writes them: name, version, bytes. What they hold is written down again in src/metadata/records.rs. */
public class Metadata {
    static void print(ApiMessage message, int version) {
        MetadataRecordSerde serde = new MetadataRecordSerde();
        ApiMessageAndVersion record = new ApiMessageAndVersion(message, (short) version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        byte[] bytes = new byte[serde.recordSize(record, cache)];
        serde.write(record, cache, new ByteBufferAccessor(java.nio.ByteBuffer.wrap(bytes)));
        System.out.println(message.getClass().getSimpleName() + " " + version + " " + HexFormat.of().formatHex(bytes));
    }

    public static void main(String[] args) {
        Uuid topic = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
        Uuid one = new Uuid(0, 1);
        Uuid two = new Uuid(0, 2);
        for (int version = 1; version <= 4; version++) {
            RegisterBrokerRecord record = new RegisterBrokerRecord().setBrokerId(7).setIncarnationId(topic).setBrokerEpoch(4711).setRack("r").setFenced(false);
            record.endPoints().add(new RegisterBrokerRecord.BrokerEndpoint().setName("PLAINTEXT").setHost("::1").setPort(65535).setSecurityProtocol((short) 0));
            record.features().add(new RegisterBrokerRecord.BrokerFeature().setName("metadata.version").setMinSupportedVersion((short) 7).setMaxSupportedVersion((short) 30));
            if (version >= 1) record.setInControlledShutdown(true);
            if (version >= 3) record.setLogDirs(List.of(one, two));
            if (version >= 4) record.setCordonedLogDirs(List.of(two));
            print(record, version);
        }
        print(new UnregisterBrokerRecord().setBrokerId(7).setBrokerEpoch(4711), 0);
        print(new TopicRecord().setName("t").setTopicId(topic), 0);
        for (int version = 0; version <= 2; version++) {
            PartitionRecord record = new PartitionRecord().setPartitionId(300).setTopicId(topic).setReplicas(List.of(1, 2)).setIsr(List.of(2))
                .setRemovingReplicas(List.of(2)).setAddingReplicas(List.of(3)).setLeader(2).setLeaderRecoveryState((byte) 1).setLeaderEpoch(5).setPartitionEpoch(6);
            if (version >= 1) record.setDirectories(List.of(one, two));
            if (version >= 2) record.setEligibleLeaderReplicas(List.of(1)).setLastKnownElr(List.of(9));
            print(record, version);
        }
        print(new ConfigRecord().setResourceType((byte) 2).setResourceName("t").setName("retention.ms").setValue("5"), 0);
        print(new ConfigRecord().setResourceType((byte) 4).setResourceName("").setName("x").setValue(null), 0);
        print(new PartitionChangeRecord().setPartitionId(1).setTopicId(topic).setLeader(-1), 0);
        print(new PartitionChangeRecord().setPartitionId(1).setTopicId(topic).setIsr(List.of(1)).setLeader(1).setReplicas(List.of(1, 2)).setRemovingReplicas(List.of())
            .setAddingReplicas(List.of(2)).setLeaderRecoveryState((byte) 0).setDirectories(List.of(one, two)), 1);
        print(new PartitionChangeRecord().setPartitionId(1).setTopicId(topic).setEligibleLeaderReplicas(List.of(4)).setLastKnownElr(List.of()), 2);
        print(new RemoveTopicRecord().setTopicId(topic), 0);
        print(new FeatureLevelRecord().setName("metadata.version").setFeatureLevel((short) 30), 0);
        print(new ProducerIdsRecord().setBrokerId(7).setBrokerEpoch(4711).setNextProducerId(1000), 0);
        print(new BrokerRegistrationChangeRecord().setBrokerId(7).setBrokerEpoch(4711).setFenced((byte) -1).setInControlledShutdown((byte) 1).setLogDirs(List.of(one)), 2);
        print(new BrokerRegistrationChangeRecord().setBrokerId(7).setBrokerEpoch(4711), 3);
        print(new NoOpRecord(), 0);
    }
}
