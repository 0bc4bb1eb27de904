"""Plain JSON through pika, for the tests: writes foreign messages, reads one of ours and prints it."""

import json
import sys

import pika

url, action = sys.argv[1], sys.argv[2]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()


def write(body, **properties):
    headers = properties.pop("headers", None)
    channel.basic_publish("member.events", "member.updated", json.dumps(body), pika.BasicProperties(headers=headers, **properties), mandatory=True)


if action == "write":
    channel.confirm_delivery()  # raises for what no queue takes
    write({"memberId": "m-1", "name": "Kim"}, headers={"event-type": "member.updated.v1", "event-id": "e-1", "event-version": 1}, content_type="application/json")
    write({"memberId": "m-2", "name": "Lee"}, type="member.updated", message_id="e-2", timestamp=1767225600, delivery_mode=2)
    write({"event_id": "e-3", "event_type": "member.updated", "version": "1.0", "occurred_at": "2026-01-01T00:00:00Z", "payload": {"memberId": "m-3", "name": "박"}})
else:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "order.events", "order.placed.#")
    print("bound", flush=True)
    for method, properties, body in channel.consume(queue, inactivity_timeout=60):
        found = {
            "key": method and method.routing_key,
            "body": body and json.loads(body),
            "headers": properties and properties.headers,
            "type": properties and properties.type,
            "messageId": properties and properties.message_id,
            "correlationId": properties and properties.correlation_id,
            "contentType": properties and properties.content_type,
            "contentEncoding": properties and properties.content_encoding,
            "deliveryMode": properties and properties.delivery_mode,
        }
        print(json.dumps(found), flush=True)
        break
connection.close()
