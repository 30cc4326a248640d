"""The daemon's own health: is it in time, what does it refuse, what fills up."""

from __future__ import annotations

from model import GREEN, RED, YELLOW, Json, dashboard, graph, query, row, stat, steps

_EACH = "[$__rate_interval]"
# Where nothing waits there is no oldest entry: that is no wait, not a gap in the graph.
OLDEST_WAITS = "time() - monitor_queue_oldest_timestamp_seconds or monitor_queue_length == 0"


def build() -> Json:
    """The dashboard."""
    return dashboard(
        "cc-daemon",
        "Call centre: the daemon 守护进程",
        "Delay, input, bounds and deliveries of the monitor itself. 监控自身的健康状况。",
        [],
        [
            row("Health 健康"),
            *_health(),
            row("Time 时间"),
            *_time(),
            row("Input 输入"),
            *_input(),
            row("Bounds 上限"),
            *_bounds(),
            row("Output and process 输出与进程"),
            *_output(),
        ],
    )


def _health() -> list[Json]:
    late = steps((None, GREEN), (30, YELLOW), (120, RED))
    return [
        stat(
            "Ready 就绪",
            "What /readyz says. 就绪状态。",
            "monitor_ready",
            thresholds=steps((None, RED), (1, GREEN)),
        ),
        stat(
            "Engine's last step 引擎最近一步",
            "Age of the published picture; it grows when the engine hangs. 引擎最近一步距今。",
            "time() - monitor_snapshot_timestamp_seconds",
            unit="s",
            thresholds=late,
        ),
        stat(
            "Watermark delay 水位延迟",
            "Wall time less the watermark. 水位落后。",
            "monitor_watermark_delay_seconds",
            unit="s",
            thresholds=late,
        ),
        stat(
            "Lag 积压",
            "Records not yet read, all partitions. 未读记录数。",
            "sum(monitor_partition_lag_records)",
            thresholds=steps((None, GREEN), (10_000, YELLOW), (100_000, RED)),
        ),
        stat(
            "Checkpoint age 检查点距今",
            "How much a restart would read again. 重启需重读的时长。",
            "time() - monitor_checkpoint_timestamp_seconds",
            unit="s",
            thresholds=steps((None, GREEN), (120, YELLOW), (600, RED)),
        ),
        stat(
            "Started 启动",
            "When this process began; a surprise here is a crash. 进程启动时间。",
            'process_start_time_seconds{job="monitor"} * 1000',
            unit="dateTimeFromNow",
        ),
    ]


def _time() -> list[Json]:
    def quantile(share: float, name: str) -> str:
        return f"histogram_quantile({share}, sum by (le) (rate({name}_bucket{_EACH})))"

    return [
        graph(
            "Event to decision 事件到判定",
            "From an event's effective time to the decision of its tick. 从事件到判定的延迟。",
            [
                query(
                    quantile(share, "monitor_decision_delay_seconds"),
                    f"p{share * 100:.0f}",
                    ref=ref,
                )
                for ref, share in (("A", 0.5), ("B", 0.99))
            ],
            unit="s",
        ),
        graph(
            "Watermark delay by partition 各分区水位延迟",
            "One that stands out holds the engine up, unless it is idle. 拖慢引擎的分区。",
            [query("monitor_partition_watermark_delay_seconds", "{{topic}}/{{partition}}")],
            unit="s",
        ),
        graph(
            "Tick time 每拍耗时",
            "Time to judge one tick; the budget is the tick itself. 判定一拍的耗时。",
            [
                query(
                    quantile(share, "monitor_tick_duration_seconds"), f"p{share * 100:.0f}", ref=ref
                )
                for ref, share in (("A", 0.5), ("B", 0.99))
            ],
            unit="s",
        ),
    ]


def _input() -> list[Json]:
    lost = {
        "late 迟到": "monitor_late_records_total",
        "resumed late 恢复后迟到": "monitor_resumed_late_records_total",
        "unknown type 未知类型": "monitor_unknown_type_records_total",
        "tombstones 空记录": "monitor_tombstones_total",
        "not mapped 未映射": "monitor_unmapped_records_total",
    }
    return [
        graph(
            "Records read 读入记录",
            "By topic. 按主题。",
            [query(f"sum by (topic) (rate(monitor_records_total{_EACH}))", "{{topic}}")],
            unit="cps",
            stack=True,
        ),
        graph(
            "Lag by partition 各分区积压",
            "Records not yet read. 未读记录数。",
            [query("monitor_partition_lag_records", "{{topic}}/{{partition}}")],
        ),
        graph(
            "Dead letters 死信",
            "Records refused, by reason. 按原因。",
            [query(f"sum by (reason) (rate(monitor_rejects_total{_EACH}))", "{{reason}}")],
            unit="cps",
            stack=True,
        ),
        graph(
            "Late and odd 迟到与异常",
            "Late records are counted where their pane is still open. 迟到仍计入。",
            [
                query(f"sum(rate({name}{_EACH}))", label, ref=chr(ord("A") + place))
                for place, (label, name) in enumerate(lost.items())
            ],
            unit="cps",
        ),
        graph(
            "Events by outcome 事件去向",
            "Accepted, duplicate, uncertain, unattributed. 接受、重复、存疑、无归属。",
            [query(f"sum by (outcome) (rate(callcentre_events_total{_EACH}))", "{{outcome}}")],
            unit="cps",
        ),
        graph(
            "Idle partitions 空闲分区",
            "Left out of the watermark: at their end and silent. 未参与水位的分区。",
            [query("sum by (topic) (monitor_partition_idle)", "{{topic}}")],
        ),
    ]


def _bounds() -> list[Json]:
    return [
        graph(
            "Queues 队列占用",
            "Share of each bounded queue in use. 各队列占用比例。",
            [query("monitor_queue_length / monitor_queue_limit", "{{queue}}")],
            unit="percentunit",
        ),
        graph(
            "Oldest entry 最久等待",
            "How long the oldest entry of a queue has waited. 队列中最久的等待。",
            [query(OLDEST_WAITS, "{{queue}}")],
            unit="s",
        ),
        graph(
            "Keys 键占用",
            "Living keys against the limit, by scope. 各范围键数占用。",
            [query("monitor_keys / monitor_keys_limit", "{{scope}}")],
            unit="percentunit",
        ),
        graph(
            "Rows beyond a full table 超出上限的行",
            "Keys are counted together as other; the rest is left out. 键计入 other,其余未计。",
            [
                query(
                    f"sum by (scope, table) (rate(monitor_key_overflow_rows_total{_EACH}))",
                    "{{scope}} {{table}}",
                )
            ],
            unit="cps",
        ),
        graph(
            "Series 序列数",
            "Indicator series in a scrape, and those that the caps left out. 导出与丢弃的序列。",
            [
                query("monitor_exporter_indicator_series", "exported 导出"),
                query("monitor_exporter_dropped_series", "dropped 丢弃", ref="B"),
            ],
        ),
        graph(
            "Disks 磁盘空闲",
            "Share of each disk that is free. 各磁盘空闲比例。",
            [query("monitor_disk_free_bytes / monitor_disk_size_bytes", "{{directory}}")],
            unit="percentunit",
        ),
        graph(
            "Checkpoints 检查点",
            "Size of the last one. 最近一次大小。",
            [query("monitor_checkpoint_size_bytes", "size 大小")],
            unit="bytes",
        ),
    ]


def _output() -> list[Json]:
    return [
        graph(
            "Deliveries 投递",
            "Tried, by receiver and result. 按接收方与结果。",
            [
                query(
                    f"sum by (receiver, result) (rate(monitor_deliveries_total{_EACH}))",
                    "{{receiver}} {{result}}",
                )
            ],
            unit="cps",
        ),
        graph(
            "Memory 内存",
            "Resident memory of the process. 常驻内存。",
            [query('process_resident_memory_bytes{job="monitor"}', "resident 常驻")],
            unit="bytes",
        ),
        graph(
            "CPU 处理器",
            "Cores in use. 占用核数。",
            [query(f'rate(process_cpu_seconds_total{{job="monitor"}}{_EACH})', "cores 核")],
        ),
        graph(
            "Reloads 重载",
            "Of configuration and rules, by result. 配置与规则重载。",
            [query(f"sum by (result) (increase(monitor_reloads_total{_EACH}))", "{{result}}")],
        ),
        graph(
            "Refused HTTP requests 拒绝的请求",
            "To the exporter, by reason. 按原因。",
            [
                query(
                    f"sum by (reason) (rate(monitor_exporter_refused_requests_total{_EACH}))",
                    "{{reason}}",
                )
            ],
            unit="cps",
        ),
        graph(
            "HTTP interface 接口请求",
            "Answers, by status. 按状态码。",
            [query(f"sum by (status) (rate(monitor_web_requests_total{_EACH}))", "{{status}}")],
            unit="cps",
        ),
        graph(
            "Not ready 未就绪原因",
            "1 for each reason; empty when ready. 就绪时为零。",
            [
                query(
                    "sum by (reason) (monitor_unready) or vector(0)",
                    "{{reason}}",
                )
            ],
        ),
    ]
