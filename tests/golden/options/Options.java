import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints every option of Kafka: of what, name, type, importance, who may alter it or the broker's option behind it, default (or a dash for none). */
public class Options {
    static void print(String of, ConfigDef definition, Map<String, String> notes) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(definition.configKeys()).values()) {
            Object value = key.defaultValue;
            boolean none = value == null || value == ConfigDef.NO_DEFAULT_VALUE;
            String text = none ? "-" : ConfigDef.convertToString(value, value instanceof String ? ConfigDef.Type.STRING : key.type);
            String importance = key.internalConfig ? "INTERNAL" : key.importance.toString();
            System.out.println(String.join("\t", of, key.name, key.type.toString(), importance, notes.getOrDefault(key.name, "-"), text));
        }
    }

    public static void main(String[] args) {
        print("broker", AbstractKafkaConfig.CONFIG_DEF, DynamicBrokerConfig.dynamicConfigUpdateModes());
        Map<String, String> synonyms = new TreeMap<>();
        ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.forEach((name, all) -> synonyms.put(name, all.get(0).name()));
        print("topic", LogConfig.configDefCopy(), synonyms);
        print("group", GroupConfig.CONFIG_DEF, Map.of());
        print("metrics", ClientMetricsConfigs.configDef(), Map.of());
    }
}
