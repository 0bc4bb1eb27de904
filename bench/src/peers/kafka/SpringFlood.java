import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
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
import org.springframework.kafka.support.serializer.JacksonJsonDeserializer;
import org.springframework.kafka.support.serializer.JacksonJsonSerializer;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * Spring for Kafka at its defaults: acks from all replicas, idempotent, a linger of 5 ms; a record listener whose container commits after each poll (`AckMode.BATCH`).
 *
 * <p>`SpringFlood <brokers> <topic> <file of orders> <window> <seconds> <warm-up seconds> <warm-up orders>` sends by KafkaTemplate with so many in flight, handles by
 * {@literal @}KafkaListener in the same process, and prints the rate from the first send to the last handled order.
 */
@Configuration
@EnableKafka
public class SpringFlood {
  public record Line(String productId, String name, int quantity, int unitPrice, List<String> options) {}

  public record Address(String recipient, String street, String city, String postalCode, String country) {}

  public record Money(int amount, String currency) {}

  public record Order(
      String orderId,
      String customerId,
      String placedAt,
      List<Line> items,
      Address shipTo,
      Money total,
      String channel,
      @JsonProperty("isGift") boolean isGift,
      String note) {
    Order numbered(long n) {
      var digits = Long.toString(n);
      var id = "o-" + "0".repeat(9 - digits.length()) + digits;
      return new Order(id, customerId, placedAt, items, shipTo, total, channel, isGift, note);
    }
  }

  static final AtomicLong handled = new AtomicLong();
  static final AtomicReference<Throwable> failed = new AtomicReference<>();
  static String brokers;
  static String topic;
  static List<Order> templates;
  static Semaphore room;
  static int window;
  static long sent;

  public static void main(String[] args) throws Exception {
    brokers = args[0];
    topic = args[1];
    System.setProperty("bench.topic", topic);
    templates = JsonMapper.builder().build().readValue(Files.readString(Path.of(args[2])), new TypeReference<List<Order>>() {});
    window = Integer.parseInt(args[3]);
    room = new Semaphore(window);
    try (var context = new AnnotationConfigApplicationContext(SpringFlood.class)) {
      var template = context.getBean("template", KafkaTemplate.class);
      push(template, Double.parseDouble(args[5]), Long.parseLong(args[6]));
      long before = sent;
      long cpuBefore = cpuNanos();
      long startedNanos = System.nanoTime();
      push(template, Double.parseDouble(args[4]), 0);
      double seconds = (System.nanoTime() - startedNanos) / 1e9;
      long count = sent - before;
      double cpuMicros = (cpuNanos() - cpuBefore) / 1e3 / count;
      System.out.println("{\"messagesPerSecond\":" + count / seconds + ",\"cpuMicros\":" + cpuMicros + ",\"messages\":" + count + "}");
    }
    System.exit(0);
  }

  /** Sends for so long, and so many at least; returns when all is handled. */
  static void push(KafkaTemplate<String, Order> template, double seconds, long atLeast) throws Exception {
    long from = sent;
    long untilNanos = System.nanoTime() + (long) (seconds * 1e9);
    while (System.nanoTime() < untilNanos || sent - from < atLeast) {
      room.acquire();
      var order = templates.get((int) (sent % templates.size())).numbered(sent);
      template
          .send(topic, order.orderId(), order)
          .whenComplete(
              (result, error) -> {
                if (error != null) failed.compareAndSet(null, error);
                room.release();
              });
      sent++;
    }
    room.acquire(window);
    room.release(window);
    while (handled.get() < sent) {
      if (failed.get() != null) throw new IllegalStateException(failed.get());
      Thread.sleep(1);
    }
  }

  static long cpuNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  @Bean
  KafkaTemplate<String, Order> template() {
    Map<String, Object> settings = Map.of("bootstrap.servers", brokers);
    return new KafkaTemplate<>(
        new DefaultKafkaProducerFactory<>(settings, new StringSerializer(), new JacksonJsonSerializer<Order>().noTypeInfo()));
  }

  @Bean
  ConcurrentKafkaListenerContainerFactory<String, Order> kafkaListenerContainerFactory() {
    Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "auto.offset.reset", "earliest");
    var factory = new ConcurrentKafkaListenerContainerFactory<String, Order>();
    factory.setConsumerFactory(
        new DefaultKafkaConsumerFactory<>(settings, new StringDeserializer(), new JacksonJsonDeserializer<>(Order.class, false)));
    return factory;
  }

  @KafkaListener(topics = "${bench.topic}", groupId = "group.${bench.topic}")
  void handle(ConsumerRecord<String, Order> record) {
    if (record.value().orderId() == null) throw new IllegalStateException("no order");
    handled.incrementAndGet();
  }
}
