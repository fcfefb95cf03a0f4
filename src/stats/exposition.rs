//! The counters as text for a monitoring system: OpenMetrics 1.0, or the older format of Prometheus.

use std::fmt::Display;

use super::{Histogram, Stats};

/// How the text is written. They differ in how a counter is announced, and in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFormat {
    OpenMetrics,
    Prometheus,
}

impl TextFormat {
    pub fn content_type(self) -> &'static str {
        match self {
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Stats {
    /// The counters as text in the format of OpenMetrics 1.0, for a monitoring system. Names begin with `wshub_`, times
    /// are in seconds, and each name has a line that says what it counts.
    /// [`ServerBuilder::metrics`](crate::ServerBuilder::metrics) serves it.
    ///
    /// ```
    /// let server = wshub::Server::bind("127.0.0.1:0")?;
    /// assert!(server.stats().openmetrics().contains("\nwshub_connections 0\n"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn openmetrics(&self) -> String {
        self.exposed(TextFormat::OpenMetrics)
    }

    /// As [`openmetrics`](Self::openmetrics), in the text format 0.0.4 of Prometheus, which `promtool check metrics`
    /// and older programs read.
    #[must_use]
    pub fn prometheus(&self) -> String {
        self.exposed(TextFormat::Prometheus)
    }

    pub(crate) fn exposed(&self, format: TextFormat) -> String {
        let mut text = Exposition {
            text: String::new(),
            format,
        };
        self.expose_connections(&mut text);
        self.expose_messages(&mut text);
        self.expose_requests(&mut text);
        self.expose_times(&mut text);
        text.finish()
    }

    fn expose_connections(&self, text: &mut Exposition) {
        text.counter("connections_opened", "Connections opened.", self.opened);
        text.gauge("connections", "Connections now.", self.connections);
        let stalled = "Connections now whose peer does not take what is sent.";
        text.gauge("stalled_connections", stalled, self.stalled);
        let waiting = "Connections now that are not read from, as the application is behind.";
        let name = "waiting_for_application_connections";
        text.gauge(name, waiting, self.waiting_for_application);
        let name = "connections_refused";
        text.head(
            name,
            "Requests and connections refused, by reason.",
            "counter",
        );
        for (reason, count) in &self.refused {
            text.sample(&format!("{name}_total{{reason=\"{reason}\"}}"), count);
        }
        text.counter(
            "tls_sessions",
            "TLS handshakes completed.",
            self.tls_sessions,
        );
        let threads = "Threads of the pool now, idle ones included.";
        text.gauge("threads", threads, self.threads);
    }

    fn expose_messages(&self, text: &mut Exposition) {
        let received = "Messages received.";
        text.counter("messages_received", received, self.messages_in);
        let received = "Bytes of payload received in messages.";
        text.counter("received_bytes", received, self.bytes_in);
        let sent = "Messages taken for sending, one for each connection.";
        text.counter("messages_sent", sent, self.messages_out);
        let sent = "Bytes of payload taken for sending.";
        text.counter("sent_bytes", sent, self.bytes_out);
        let dropped = "Messages dropped for slow peers, or unsent at the end of a connection.";
        text.counter("messages_dropped", dropped, self.dropped);
        let inbound = "Bytes of messages now that wait for the application.";
        text.gauge("inbound_queue_bytes", inbound, self.inbound_bytes);
        let outbound = "Bytes now that wait for peers.";
        text.gauge("outbound_queue_bytes", outbound, self.outbound_bytes);
    }

    fn expose_requests(&self, text: &mut Exposition) {
        let requests = "Plain HTTP requests answered.";
        text.counter("http_requests", requests, self.http_requests);
        let handshakes = "Opening handshakes and plain requests under way now.";
        text.gauge("handshakes", handshakes, self.handshakes);
        let idle = "Connections now that wait for a next plain request.";
        text.gauge("idle_http_connections", idle, self.idle_connections);
        let waiting = "Plain requests now whose answer comes later.";
        text.gauge("waiting_http_requests", waiting, self.waiting_requests);
        let failures = "Hooks and handlers that panicked or failed.";
        text.counter("handler_failures", failures, self.handler_failures);
    }

    fn expose_times(&self, text: &mut Exposition) {
        let handshake = "From the first look at a connection, or its next request, to its 101.";
        text.histogram("handshake_seconds", handshake, &self.handshake_time);
        let channel = "How long events waited for the application, of those that did.";
        text.histogram("channel_wait_seconds", channel, &self.channel_time);
        let outbox = "How long messages waited for their peer, of those that did.";
        text.histogram("outbox_wait_seconds", outbox, &self.outbox_time);
    }
}

struct Exposition {
    text: String,
    format: TextFormat,
}

impl Exposition {
    /// What a name is, in the lines before its values.
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let suffix = match (self.format, kind) {
            (TextFormat::Prometheus, "counter") => "_total",
            _ => "",
        };
        self.line(&format!("# HELP wshub_{name}{suffix} {help}"));
        self.line(&format!("# TYPE wshub_{name}{suffix} {kind}"));
    }

    fn sample(&mut self, name: &str, value: impl Display) {
        self.line(&format!("wshub_{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.sample(&format!("{name}_total"), value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) {
        self.head(name, help, "gauge");
        self.sample(name, value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        for (bound, count) in histogram.buckets() {
            let bound = bound.as_secs_f64();
            self.sample(&format!("{name}_bucket{{le=\"{bound:?}\"}}"), count);
        }
        let count = histogram.count();
        self.sample(&format!("{name}_bucket{{le=\"+Inf\"}}"), count);
        self.sample(&format!("{name}_sum"), histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), count);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        if self.format == TextFormat::OpenMetrics {
            self.line("# EOF");
        }
        self.text
    }
}

#[cfg(test)]
mod tests;
