import { readdir, readFile } from "node:fs/promises";
import { Counter, Gauge, type Registry } from "prom-client";

/**
 * The process's own figures, under the names that Prometheus's libraries agree on. prom-client's own set watches the
 * event loop and the garbage collector too, of which this runtime tells nothing.
 */
export function registerProcessMetrics(registers: Registry[]): void {
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time used, in seconds",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "When the process was started, in Unix time",
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  measureFiles(registers);
}

/** Only where the system has /proc. */
function measureFiles(registers: Registry[]): void {
  if (process.platform !== "linux") return;
  new Gauge({
    name: "process_open_fds",
    help: "Open files and sockets",
    registers,
    async collect() {
      this.set((await readdir("/proc/self/fd")).length);
    },
  });
  new Gauge({
    name: "process_max_fds",
    help: "How many files and sockets may be open",
    registers,
    async collect() {
      const limits = await readFile("/proc/self/limits", "utf8");
      const most = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.NaN);
      if (!Number.isNaN(most)) this.set(most);
    },
  });
}
