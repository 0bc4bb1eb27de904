import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.util.backoff.FixedBackOff;

/** `SpringLetters <brokers> <topic> <count>` gives up each message of the topic as Spring does, and prints so many dead letters as its readers see them. */
@Configuration
@EnableKafka
public class SpringLetters {
  static String brokers;
  static CountDownLatch left;

  public static void main(String[] args) throws Exception {
    brokers = args[0];
    System.setProperty("peer.topic", args[1]);
    left = new CountDownLatch(Integer.parseInt(args[2]));
    try (var context = new AnnotationConfigApplicationContext(SpringLetters.class)) {
      if (!left.await(40, TimeUnit.SECONDS)) System.exit(3);
    }
    System.exit(0);
  }

  @Bean
  ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory() {
    var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
    factory.setConsumerFactory(
        new DefaultKafkaConsumerFactory<>(
            Map.of(
                "bootstrap.servers", brokers,
                "auto.offset.reset", "earliest",
                "key.deserializer", StringDeserializer.class,
                "value.deserializer", StringDeserializer.class)));
    var template =
        new KafkaTemplate<String, String>(
            new DefaultKafkaProducerFactory<>(
                Map.of("bootstrap.servers", brokers, "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class)));
    factory.setCommonErrorHandler(new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template), new FixedBackOff(0, 0)));
    return factory;
  }

  @KafkaListener(topics = "${peer.topic}", groupId = "spring.${peer.topic}")
  void handle(ConsumerRecord<String, String> record) {
    throw new IllegalStateException("no stock");
  }

  @KafkaListener(topics = "${peer.topic}-dlt", groupId = "spring.letters.${peer.topic}")
  void give(ConsumerRecord<String, String> record) {
    System.out.println(
        String.join(
            "\t",
            "letter",
            text(record, KafkaHeaders.DLT_ORIGINAL_CONSUMER_GROUP),
            String.valueOf(record.partition()),
            record.key(),
            record.value(),
            text(record, KafkaHeaders.DLT_ORIGINAL_TOPIC),
            String.valueOf(ByteBuffer.wrap(bytes(record, KafkaHeaders.DLT_ORIGINAL_PARTITION)).getInt()),
            String.valueOf(ByteBuffer.wrap(bytes(record, KafkaHeaders.DLT_ORIGINAL_OFFSET)).getLong()),
            String.valueOf(ByteBuffer.wrap(bytes(record, KafkaHeaders.DLT_ORIGINAL_TIMESTAMP)).getLong()),
            text(record, KafkaHeaders.DLT_ORIGINAL_TIMESTAMP_TYPE),
            text(record, KafkaHeaders.DLT_EXCEPTION_CAUSE_FQCN),
            text(record, KafkaHeaders.DLT_EXCEPTION_MESSAGE)));
    for (var header : record.headers())
      if (header.key().startsWith("kafka_dlt-"))
        System.out.println(
            String.join(
                "\t", "header", text(record, KafkaHeaders.DLT_ORIGINAL_CONSUMER_GROUP), header.key(), HexFormat.of().formatHex(header.value())));
    left.countDown();
  }

  static byte[] bytes(ConsumerRecord<?, ?> record, String header) {
    return record.headers().lastHeader(header).value();
  }

  static String text(ConsumerRecord<?, ?> record, String header) {
    return new String(bytes(record, header), StandardCharsets.UTF_8);
  }
}
