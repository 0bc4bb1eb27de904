import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
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

/** A Spring service beside ours: `SpringPeer <brokers> <topic> <count>` writes so many by KafkaTemplate, then reads twice as many by @KafkaListener and prints each. */
@Configuration
@EnableKafka
public class SpringPeer {
  static String brokers;
  static CountDownLatch left;

  public static void main(String[] args) throws Exception {
    brokers = args[0];
    System.setProperty("peer.topic", args[1]);
    int count = Integer.parseInt(args[2]);
    left = new CountDownLatch(2 * count);
    try (var context = new AnnotationConfigApplicationContext(SpringPeer.class)) {
      var template = template();
      for (int at = 0; at < count; at++) {
        var record = new ProducerRecord<String, String>(args[1], null, "key-" + at, "{\"at\":" + at + "}");
        record.headers().add("event-type", "order.paid.v2".getBytes(StandardCharsets.UTF_8));
        record.headers().add("event-id", ("spring-" + at).getBytes(StandardCharsets.UTF_8));
        template.send(record).get(10, TimeUnit.SECONDS);
      }
      if (!left.await(30, TimeUnit.SECONDS)) System.exit(3);
    }
    System.exit(0);
  }

  static KafkaTemplate<String, String> template() {
    return new KafkaTemplate<>(
        new DefaultKafkaProducerFactory<>(
            Map.of("bootstrap.servers", brokers, "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class)));
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
    return factory;
  }

  @KafkaListener(topics = "${peer.topic}", groupId = "spring.${peer.topic}")
  void handle(ConsumerRecord<String, String> record) {
    var type = record.headers().lastHeader("ce_type");
    System.out.println(
        "read\t" + record.partition() + "\t" + record.key() + "\t" + record.value() + "\t"
            + (type == null ? "-" : new String(type.value(), StandardCharsets.UTF_8)));
    left.countDown();
  }
}
