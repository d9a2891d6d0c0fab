import type { HttpServer, TlsCertificate } from "../contract.ts";
import { loadPortControl, type PortControl } from "./port-control.ts";

/** One server of Bun, with the one certificate it was opened with: Bun cannot change it. */
export interface ServerInstance {
  /** Sends `Connection: close` with every response from now on (RFC 9112, section 9.6). */
  drain(): void;
  /** Accepts no new connection, closes idle ones and resolves when the others are done; `abruptly` closes all. */
  stop(abruptly: boolean): Promise<void>;
  /** Closes the connections that wait for another request. */
  closeIdle(): void;
}

/** A port or unix socket on which one server replaces another. */
export interface Endpoint {
  /** Opens a server that gets all new connections. When it throws, the current one goes on as before. */
  replace(current: ServerInstance, certificate: TlsCertificate): ServerInstance;
  /** Stops a replaced server. */
  leave(replaced: ServerInstance): Promise<void>;
}

/**
 * Milliseconds until a replaced server stops. Stopping cuts connections that are in the TLS handshake or have not sent
 * a request. After this time there are none: Bun closes one with an incomplete head after 12 s and an idle one after
 * 60 s, each up to 4 s late, and responses on active ones carry `Connection: close`.
 */
const DRAIN_TIME = 90_000;

/** Swaps the certificate of an endpoint by replacing its server. */
export function createCertificateSwap(
  first: ServerInstance,
  endpoint: Endpoint,
  drainTime = DRAIN_TIME,
): Pick<HttpServer, "replaceCertificate" | "stop"> & Pick<ServerInstance, "closeIdle"> {
  let current = first;
  let isStopping = false;
  const draining = new Map<ServerInstance, ReturnType<typeof setTimeout>>();

  function drain(server: ServerInstance): void {
    server.drain();
    const timer = setTimeout(() => {
      // It stays in the map until its last response, so that `stop` can still cut it.
      void endpoint.leave(server).finally(() => draining.delete(server));
    }, drainTime);
    timer.unref();
    draining.set(server, timer);
  }

  return {
    replaceCertificate(certificate) {
      if (isStopping) return;
      const next = endpoint.replace(current, certificate);
      drain(current);
      current = next;
    },
    async stop(grace) {
      isStopping = true;
      for (const timer of draining.values()) clearTimeout(timer);
      await Promise.all([...draining.keys(), current].map((server) => stopWithin(grace, server)));
    },
    closeIdle() {
      for (const server of [...draining.keys(), current]) server.closeIdle();
    },
  };
}

async function stopWithin(grace: number, server: ServerInstance): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const graceOver = new Promise((resolve) => {
    timer = setTimeout(resolve, grace);
  });
  await Promise.race([server.stop(false), graceOver]);
  clearTimeout(timer);
  await server.stop(true);
}

/** How servers are opened on a port. */
export interface PortOptions {
  readonly port: number;
  /** Opens a server alone or, with `shared`, beside those on the port. Throws when that is not possible. */
  open(certificate: TlsCertificate, shared: boolean): ServerInstance;
  /** Throws when the runtime cannot serve this certificate. */
  tryOut(certificate: TlsCertificate): void;
  /** Returns null where the kernel cannot direct connections. */
  readonly load?: () => PortControl | null;
}

/**
 * Replaces servers on a port. The first server has the port to itself, so that a second hooklatch cannot open it. The
 * next one shares it, and the kernel sends it every new connection, so that none is lost. Closing the old server first
 * would lose the connections that arrive in between.
 */
export function createPortEndpoint(first: ServerInstance, options: PortOptions): Endpoint {
  const { port, open, tryOut, load = loadPortControl } = options;
  /** The servers on the port, in the kernel's order (see {@link PortControl}). */
  const servers = [first];
  let control: PortControl | null | undefined;
  let newest = first;

  function remove(server: ServerInstance): void {
    const place = servers.indexOf(server);
    const last = servers.pop();
    if (last !== undefined && place >= 0 && place < servers.length) servers[place] = last;
  }

  function leave(server: ServerInstance): Promise<void> {
    const stopped = server.stop(false);
    if (servers.includes(server)) {
      remove(server);
      control?.direct(port, servers.indexOf(newest));
    }
    return stopped;
  }

  return {
    replace(current, certificate) {
      control ??= load();
      if (control?.share(port)) {
        newest = open(certificate, true);
        servers.push(newest);
        // Otherwise half of the new connections would still get the old certificate.
        if (!control.direct(port, servers.length - 1)) void leave(current);
        return newest;
      }
      tryOut(certificate);
      void leave(current);
      newest = open(certificate, false);
      servers.push(newest);
      return newest;
    },
    leave,
  };
}
