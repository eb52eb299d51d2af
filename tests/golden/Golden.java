import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Makes golden bytes: random values, from fixed seeds, in the shape of Kafka's own schema of a version, read and written
 * again by Kafka's own message classes, and printed by Kafka's own JSON converters.
 *
 * Arguments: directory, version of kafka-clients, then names of APIs; "Name:5" for that version only.
 */
public class Golden {
    static Random random;

    public static void main(String[] args) throws Exception {
        for (int i = 2; i < args.length; i++) {
            String[] api = args[i].split(":");
            ApiMessageType type = find(api[0]);
            int min = api.length == 2 ? Integer.parseInt(api[1]) : type.lowestSupportedVersion();
            int max = api.length == 2 ? min : type.highestSupportedVersion(true);
            String file = api.length == 2 ? api[0] + "-" + api[1] + ".txt" : api[0] + ".txt";
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], file)))) {
                out.println("# Made by Golden.java with kafka-clients " + args[1] + ".");
                for (int version = min; version <= max; version++) {
                    make(out, type.name + "Request", type.newRequest(), type.requestSchemas()[version], version);
                    make(out, type.name + "Response", type.newResponse(), type.responseSchemas()[version], version);
                }
            }
        }
    }

    static ApiMessageType find(String name) {
        for (ApiMessageType type : ApiMessageType.values()) {
            if (type.name.equals(name)) {
                return type;
            }
        }
        throw new IllegalArgumentException(name);
    }

    static void make(PrintWriter out, String name, ApiMessage message, Schema schema, int version) throws Exception {
        random = new Random(31L * name.hashCode() + version);
        Struct value = struct(schema, false);
        ByteBuffer bytes = ByteBuffer.allocate(schema.sizeOf(value));
        schema.write(bytes, value);
        bytes.flip();
        message.read(new ByteBufferAccessor(bytes), (short) version);
        if (bytes.hasRemaining()) {
            throw new IOException(name + " " + version + " left bytes");
        }
        ByteBuffer canonical = MessageUtil.toByteBufferAccessor(message, (short) version).buffer();
        StringBuilder hex = new StringBuilder();
        while (canonical.hasRemaining()) {
            hex.append(String.format("%02x", canonical.get()));
        }
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        JsonNode json = (JsonNode) converter.getMethod("write", message.getClass(), short.class, boolean.class)
            .invoke(null, message, (short) version, false);
        out.println(name + " " + version);
        out.println(hex);
        out.println(json);
    }

    /** {@code told}: what is inside of a tagged field shall not be its default, or Kafka leaves it out. */
    static Struct struct(Schema schema, boolean told) {
        Struct struct = new Struct(schema);
        for (BoundField field : schema.fields()) {
            struct.set(field, field.def.type instanceof TaggedFields tagged ? tagged(tagged) : value(field.def, told));
        }
        return struct;
    }

    static Map<Integer, Object> tagged(TaggedFields fields) {
        Map<Integer, Object> values = new TreeMap<>();
        for (Map.Entry<Integer, Field> field : fields.fields().entrySet()) {
            if (random.nextInt(4) > 0) {
                values.put(field.getKey(), value(field.getValue(), true));
            }
        }
        return values;
    }

    static Object value(Field field, boolean told) {
        Type type = field.type;
        if (type.isNullable() && !told && random.nextInt(4) == 0) {
            return null;
        }
        if (field.name.contains("error_code")) {
            return (short) (1 + random.nextInt(120));
        }
        return value(type, told);
    }

    static Object value(Type type, boolean told) {
        if (type instanceof Schema schema) {
            return struct(schema, told);
        }
        if (type.isArray()) {
            Object[] elements = new Object[told || random.nextInt(5) > 0 ? 1 + random.nextInt(2) : 0];
            for (int i = 0; i < elements.length; i++) {
                elements[i] = value(type.arrayElementType().get(), false);
            }
            return elements;
        }
        switch (type.toString()) {
            case "BOOLEAN": return told || random.nextBoolean();
            case "INT8": return (byte) random.nextInt(100);
            case "INT16": return (short) random.nextInt();
            case "UINT16": return random.nextInt(0x10000);
            case "INT32": return random.nextInt();
            case "UINT32": return random.nextLong() & 0xffffffffL;
            case "INT64": return random.nextLong();
            case "FLOAT64": return random.nextInt() / 8.0;
            case "UUID": return new Uuid(random.nextLong(), random.nextLong());
            case "STRING", "COMPACT_STRING", "NULLABLE_STRING", "COMPACT_NULLABLE_STRING": return text();
            case "BYTES", "COMPACT_BYTES", "NULLABLE_BYTES", "COMPACT_NULLABLE_BYTES": return ByteBuffer.wrap(bytes());
            case "RECORDS", "COMPACT_RECORDS", "NULLABLE_RECORDS", "COMPACT_NULLABLE_RECORDS":
                return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
            default: throw new IllegalArgumentException(type.toString());
        }
    }

    static String text() {
        StringBuilder text = new StringBuilder();
        for (int length = 1 + random.nextInt(6); length > 0; length--) {
            text.append("abcdefZ09.-é字".charAt(random.nextInt(13)));
        }
        return text.toString();
    }

    static byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(6)];
        random.nextBytes(bytes);
        return bytes;
    }
}
