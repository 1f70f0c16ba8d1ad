"""Send a signed model to a node over MQTT, part by part, and print what the node says.

    python send_model.py BROKER SITE/NODE MODEL.tflite            # install it now
    python send_model.py BROKER SITE/NODE MODEL.tflite --stage    # only stage it: Home Assistant's Install uses it

Needs paho-mqtt. BROKER is host or host:port; give --username and the variable MQTT_PASSWORD where it asks who you are.
"""

import argparse
import base64
import hashlib
import json
import os
import queue
import sys
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

PART = 48 * 1024
PATIENCE_S = 30.0


class Asker:
    """Asks one node, and waits for each answer."""

    def __init__(self, broker: str, node: str, username: str) -> None:
        host, _, port = broker.partition(":")
        self._topic = f"leakear/{node}/cmd/model"
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if username:
            self._client.username_pw_set(username, os.environ.get("MQTT_PASSWORD"))
        self._client.on_message = lambda _, __, message: self._answers.put(json.loads(message.payload))
        self._client.on_subscribe = lambda *_: ready.put(True)
        self._client.connect(host, int(port or 1883))
        self._client.loop_start()
        self._client.subscribe(f"{self._topic}/result", qos=1)
        ready.get(timeout=PATIENCE_S)

    def ask(self, number: int, **body: Any) -> dict[str, Any]:
        """Send one request and give its answer."""
        request = {"id": f"send-model-{os.getpid()}-{number}", **body}
        self._client.publish(self._topic, json.dumps(request), qos=1)
        while (answer := self._answers.get(timeout=PATIENCE_S))["id"] != request["id"]:
            pass
        return answer

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


def main() -> int:
    """Send every part; stop at the first refusal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker")
    parser.add_argument("node", metavar="SITE/NODE")
    parser.add_argument("model", type=Path)
    parser.add_argument("--stage", action="store_true", help="keep it on the node without using it")
    parser.add_argument("--username", default="")
    args = parser.parse_args()
    data = args.model.read_bytes()
    whole = {"action": "put", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "stage": args.stage}
    asker = Asker(args.broker, args.node, args.username)
    try:
        for part, start in enumerate(range(0, len(data), PART)):
            chunk = base64.b64encode(data[start : start + PART]).decode()
            answer = asker.ask(part, **whole, part=part, data=chunk)
            if not answer["ok"]:
                print(answer["error"], file=sys.stderr)
                return 1
    except queue.Empty:
        print(f"{args.node} does not answer", file=sys.stderr)
        return 1
    finally:
        asker.close()
    print(f"{answer['result']['model']['id']} is {answer['result']['stage']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
