"""What people write on docs/configuration.md: its head, its examples, what models leave unsaid.

Owns text only. `UNSAID` is for settings whose model has no docstring; a test takes away an entry
that is no longer needed.
"""

from __future__ import annotations

HEAD = """# Configuration

<!-- Made by `python -m tests.docs.generate`; a test keeps it true. Do not edit by hand. -->

Everything is in one file, `config.yaml`. Without `-c`, every command takes the one in the working
directory, and the defaults below where there is none. An empty file is a valid configuration.

```
monitor check -c config.yaml   # every fault with line and column, before anything runs with it
monitor run -c config.yaml
kill -HUP <pid>                # take over a changed file; with a fault in it the old one stays
```

An editor with yaml-language-server completes and checks while you type: the first line of the
shipped file names the [schema](schema/config.json).

**How values are written.** A *duration* is a whole number and a unit: `250ms`, `5s`, `30m`, `24h`,
`7d`. A *share* is a percentage: `30%`, `0.5%`. A *rate* is so many in so long: `20/10m`. A *size*
has a unit: `10MB`, `1GiB`. A bare number where a unit is meant is an error that names the mend, and
so is an unknown key. Telephone numbers stand in quotes: `"+862150000001"`. Paths are relative to
the working directory.

What the shipped packs judge is not here but in `rules/` ([rules.md](rules.md)); single values of a
pack are changed under [override](#override).

A small site on Kafka, complete:

```yaml
version: 1
source: {kind: kafka, bootstrap: "kafka-1:9092,kafka-2:9092"}
packs: [telemarketing]
telephony: {kind: kafka}
pools:
  defaults: {max_fraction: 10%, min_left: 3, brake_above: 20%, brake_window: 2h}
delivery:
  receivers:
    people: {type: alertmanager, url: "http://alertmanager:9093"}
  routes:
    supervisors: {receivers: [people]}
    operations: {receivers: [people, log]}
    coaches: {receivers: [log]}
```
"""

ELSEWHERE = {
    "source": "Where events come from. Left out, it is `var/events/*.jsonl`, followed.",
    "time": "What the words mean is in [semantics.md](semantics.md).",
    "packs": "Which packs are on. Shipped are, besides `telemarketing`: `whatsapp-sales`,"
    " `crm-follow-up`,"
    " `service-desk`, `sms-gateway`, `number-reputation`, `classic`, and, in shadow until you"
    " switch a rule on, `compliance-us`, `compliance-uk`, `compliance-fr`, `compliance-br`,"
    " `compliance-in`, `compliance-cn-platforms` and `compliance-whatsapp`. Any of them go"
    " together; each has a README under `rules/`. What they compute is in"
    " [indicators.md](indicators.md).",
    "override": "By the ids of indicators and rules; what is not named keeps the pack's value.",
    "pools": "Guards over suspensions, of each pool; how they work is in [numbers.md](numbers.md)."
    " A pool has the name of the campaign that dials with it, so that a number that is seen in"
    " traffic and not listed joins the right one.",
    "numbers": "The life of a number is in [numbers.md](numbers.md).",
    "delivery": "Who hears of what. A rule names a route, a route names receivers. A decision is"
    " stored first and sent after, again and again until the receiver has taken it.",
    "store": "What to back up is in [operating.md](operating.md#files).",
    "exporter": "The metrics are in [metrics.md](metrics.md).",
    "logs": "JSON lines on standard error; with the live table, in `monitor.log` beside the store.",
}

YAML_BELOW = {
    "packs": """\
packs: [telemarketing, number-reputation, compliance-us]
override:
  rules:
    us-hours: {status: active}       # rules of law are in shadow as shipped
""",
    "source": """\
source:
  kind: kafka
  bootstrap: kafka-1:9092,kafka-2:9092
  security:
    tls: {ca_file: /etc/monitor/ca.pem}
    sasl: {username: monitor, password: {env: KAFKA_PASSWORD}}
""",
    "events": """\
events:
  phones: {region: CN}
  organisation:                    # for producers that send the agent alone
    team-1:
      group-1: [agent-0001, agent-0002]
      group-2: [agent-0003]
""",
    "override": """\
override:
  indicators:
    hangup_rate: {target: 20%}
  rules:
    number-hangup: {levels: {crit: {above: 35%, clear: 30%}}}
    agent-csat: {status: "off"}
""",
    "pools": """\
pools:
  defaults: {max_fraction: 10%, min_left: 3, brake_above: 20%, brake_window: 2h}
  campaign-7:
    numbers: ["+862150000001", "+862150000002"]
    standby: ["+862150000003"]
    max_fraction: 20%
    min_left: 1
    inhibited_by: [campaign-complaint]
""",
    "delivery": """\
delivery:
  receivers:
    hook: {type: webhook, url: https://example.com/alerts, secret_env: HOOK_SECRET, rate: 20/1m}
    people: {type: alertmanager, url: http://alertmanager:9093}
    floor: {type: dingtalk, token: {env: DINGTALK_TOKEN}, secret: {env: DINGTALK_SECRET}}
    leads: {type: wecom, key: {file: /run/secrets/wecom-key}, zone: Asia/Shanghai}
    abroad: {type: feishu, token: {env: LARK_TOKEN}, language: en,
             url: https://open.larksuite.com/open-apis/bot/v2/hook}
    mail: {type: mail, host: mail.example.com, sender: monitor@example.com, to: [lead@example.com],
           username: monitor, password: {env: MAIL_PASSWORD}}
    sms: {type: apprise, url: {env: SMS_OF_THE_DUTY_LEAD}, brief: true, rate: 10/1h}
  routes:
    supervisors: {receivers: [people, hook, floor]}
    operations: {receivers: [people, log]}
    coaches: {receivers: [log]}
""",
}

UNSAID = {
    "KafkaConnection.client_id": "Our name in the broker's logs and metrics.",
    "KafkaConnection.connect_timeout": "How long the first contact with the cluster may take.",
    "KafkaConnection.request_timeout": "How long the broker may take over one request.",
    "KafkaSettings.kind": "",
    "KafkaSettings.topics": "All partitions of these are read.",
    "KafkaSettings.fetch_bytes": "How much one answer of the broker may hold.",
    "KafkaSettings.lag_every": "How often positions are committed to `lag_group`.",
    "Tls.key_file": "The key of `cert_file`, PEM; not needed where that file holds it too.",
    "Tls.key_password": "Opens `key_file`.",
    "Tls.check_hostname": "Whether the broker's certificate must be in its host's name.",
    "Sasl.mechanism": "",
    "Sasl.username": "",
    "Sasl.password": "",
    "ArchivedSettings.kind": "",
    "FilesSettings.kind": "",
    "DeadLetterFile.path": "JSON lines: reason, detail, place, and the record byte for byte.",
    "PackOverride.indicators": "By id: what is laid over the indicator's entry.",
    "PackOverride.rules": "By id: what is laid over the rule's entry.",
    "PoolSettings.numbers": "Its members; those seen dialling for the campaign join by themselves.",
    "PoolSettings.max_fraction": "Left out: that of `defaults`.",
    "PoolSettings.min_left": "Left out: that of `defaults`.",
    "PoolSettings.rate": "Left out: that of `defaults`.",
    "PoolSettings.brake_above": "Left out: that of `defaults`.",
    "PoolSettings.brake_window": "Left out: that of `defaults`.",
    "PoolSettings.approval": "Left out: that of `defaults`.",
    "PoolSettings.approval_for": "Left out: that of `defaults`.",
    "PoolSettings.inhibited_by": "Left out: that of `defaults`.",
    "NumbersSettings.retry_pause_max": "What `retry_pause` grows to at most.",
    "SystemSettings.commands": "With `kafka`: the topic of suspend and resume.",
    "SystemSettings.password": "Of that user.",
    "DeliverySettings.receivers": "Receivers by a name of your choice; `log` is always there.",
    "DeliverySettings.routes": "By the names that rules use.",
    "DeliverySettings.max_attempts": "Deliveries tried so often are parked.",
    "LogReceiver.type": "",
    "DingTalkReceiver.type": "",
    "WeComReceiver.type": "",
    "FeishuReceiver.type": "",
    "MailReceiver.type": "",
    "AppriseReceiver.type": "",
    "WebhookReceiver.type": "",
    "WebhookReceiver.url": "Where decisions are posted.",
    "WebhookReceiver.timeout": "How long one request may take.",
    "AlertmanagerReceiver.type": "",
    "KafkaReceiver.type": "",
    "KafkaReceiver.topic": "Where orders are written, each under its customer.",
    "KafkaReceiver.timeout": "How long one attempt may take.",
    "AlertmanagerReceiver.timeout": "How long one request may take.",
    "Route.receivers": "All of them hear of it.",
    "Backoff.base": "",
    "Backoff.max": "",
    "CheckpointSection.every": "A large checkpoint is written less often, so that it takes at most"
    " a tenth of the engine's time.",
    "ExporterSettings.enabled": "Whether `/metrics`, `/status`, `/readyz`, `/healthz` are served.",
    "LogsSection.level": "",
}
