import { Type } from "@sinclair/typebox";
import { isAddressRange, isLoopback, UNIX } from "../lib/ip-address.ts";
import {
  CheckedString,
  Defaulted,
  DurationUpTo,
  HEADER_NAME,
  SecretSetting,
  SizeSetting,
  TableSetting,
} from "../lib/schema.ts";
import { EXPECTED_HOST, isHost, parseHttpUrl } from "./read/network.ts";

/**
 * The configuration file as it is written, and its documentation: docs/configuration.md is generated from the
 * descriptions. A schema checks each value alone; rules about several values are checked where they are resolved.
 */

const DAY = 86_400_000;

/** Timers count milliseconds in 31 bits. A longer one would fire at once. */
export const Timer = DurationUpTo(24 * DAY);

/** The name of a source, target or notification. */
export const Name = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
  expected: 'a name of at most 64 letters, digits and "._-" that starts with a letter or digit',
});
/** A path, absolute or relative to the directory of the configuration file. */
export const Path = Type.String({ pattern: "^[^\\x00-\\x1f\\x7f]+$", expected: "a path" });
/** On or off. */
export const Switch = Type.Boolean({ expected: "true or false" });

/** Completes "expected …" for a port. */
export const EXPECTED_PORT = "a port number from 0 to 65535";
const Port = Type.Integer({ minimum: 0, maximum: 65_535, expected: EXPECTED_PORT });

/** An http or https URL without user, password, query and fragment, to which paths are appended. */
export function BaseUrl(example: string) {
  const expected = `a URL such as "${example}", without a user, password, query or fragment`;
  return CheckedString("base-url", (text) => parseHttpUrl(text) !== undefined && !/[?#]/.test(text), {
    secret: true,
    expected,
  });
}

/** A URL whose responses decide who is trusted: https, or http on this machine. */
export function TrustedUrl(example: string) {
  return CheckedString("trusted-url", isTrustedUrl, {
    secret: true,
    expected: `an https URL such as "${example}", without a user, password or fragment`,
  });
}

function isTrustedUrl(text: string): boolean {
  const url = parseHttpUrl(text);
  return url !== undefined && url.hash === "" && (url.protocol === "https:" || isLoopback(url.hostname));
}

/** A list of tables, which are checked one by one, so that one fault does not hide others. */
function TableList(key: string) {
  return Type.Optional(
    Type.Array(Type.Unknown(), { secret: true, expected: `tables, each under its own [[${key}]]` }),
  );
}

/** The document's top level. */
export const DocumentTable = TableSetting(
  {
    data_dir: Type.Optional(Path),
    server: Type.Optional(Type.Unknown()),
    admin: Type.Optional(Type.Unknown()),
    store: Type.Optional(Type.Unknown()),
    source: TableList("source"),
    target: TableList("target"),
    notify: TableList("notify"),
  },
  {
    data_dir:
      "Directory of the database, generated secrets and temporary files. It is created with mode 0700 and must be on a local disk. Default: `$HOOKLATCH_DATA_DIR`, else `$STATE_DIRECTORY`, else `./hooklatch-data`.",
    server: "The public listener, which receives webhooks.",
    admin:
      "The listener of the [admin API](api.md), which the commands use. Without a configured `port`, the server starts without it when the port is taken.",
    store: "The database, and the retention of history. What is live, queued or running is never removed.",
    source: "An address that receives webhooks; see [Senders](senders.md).",
    target: "What is deployed, and where; see [Deployments](deployments.md).",
    notify:
      "Where the results of deployments are reported; see [Notifications](deployments.md#notifications).",
  },
);

/** `[server]`. Providers that publish their address ranges add `<provider>_ranges_url`. */
export const ServerTable = TableSetting(
  {
    host: Type.Optional(Type.String({ expected: EXPECTED_HOST })),
    port: Type.Optional(Port),
    public_url: Type.Optional(BaseUrl("https://hooks.example.com")),
    trusted_proxies: Defaulted(
      Type.Array(
        CheckedString("trusted-proxy", (text) => text === UNIX || isAddressRange(text), {
          expected: 'an IP address, a range such as "10.0.0.0/8", or "unix"',
        }),
        { expected: "a list of IP addresses and ranges" },
      ),
      [],
    ),
    client_ip_header: Defaulted(
      Type.Union(
        [Type.Literal("X-Forwarded-For"), Type.Literal("X-Real-IP"), Type.Literal("CF-Connecting-IP")],
        {
          expected: '"X-Forwarded-For", "X-Real-IP" or "CF-Connecting-IP"',
        },
      ),
      "X-Forwarded-For",
    ),
    max_body: Defaulted(SizeSetting, "25MiB"),
    max_unverified: Type.Optional(SizeSetting),
    shutdown_grace: Defaulted(Timer, "30s"),
    log_format: Type.Optional(
      Type.Union([Type.Literal("json"), Type.Literal("text"), Type.Literal("journald")], {
        expected: '"json", "text" or "journald"',
      }),
    ),
    max_deployments: Defaulted(
      Type.Integer({ minimum: 1, maximum: 1000, expected: "a whole number from 1 to 1000" }),
      8,
    ),
    catch_up_every: Defaulted(
      Type.Union([Type.Literal("off"), Timer], {
        expected: 'a duration of at most 24d, such as "15m", or "off"',
      }),
      "15m",
    ),
    tls: Type.Optional(
      TableSetting(
        { cert: Path, key: Path },
        {
          cert: "PEM file with the certificate and its chain. Default: `$TLS_CERT`.",
          key: "PEM file with the private key. Default: `$TLS_KEY`.",
        },
      ),
    ),
    acme: Type.Optional(Type.Unknown()),
  },
  {
    host: 'IP address or host name to listen on (`"0.0.0.0"` is IPv4 only, `"::"` is both), or a unix socket with mode 0660 as `"unix:PATH"`. Default: `$HOST`, else `"127.0.0.1"` without TLS and `"0.0.0.0"` with TLS.',
    port: "TCP port. `0` picks a free one, which the log names. Default: `$PORT`, else `9000`.",
    public_url: "Address under which senders reach the server. It is used in messages and links only.",
    trusted_proxies:
      'Proxies whose header with the client\'s address is trusted; see [Behind a proxy](operations.md#behind-a-proxy). `"unix"` means all clients of the unix socket.',
    client_ip_header:
      'Header in which the trusted proxies send the client\'s address: `"X-Forwarded-For"`, `"X-Real-IP"` or `"CF-Connecting-IP"`. A proxy must set it, not pass on what it received.',
    max_body: "Largest body of a request; a larger one is answered 413. GitHub sends at most 25 MB.",
    max_unverified:
      'Memory for the bodies of all requests whose senders are not verified yet. Beyond it, requests are answered 503. Default: `"256MiB"`, or `max_body` if that is larger.',
    shutdown_grace: "Time that running deployments have to finish when the server stops.",
    log_format:
      'Format of the log: `"json"` for one JSON object per line, `"text"` for people, or `"journald"` for text without a time and with the priorities that the journal shows in colour. Default: `"text"` on a terminal, else `"json"`.',
    max_deployments: "Number of deployments that run at once, each of a different target.",
    catch_up_every:
      'Interval of the check for [missed pushes](deployments.md#missed-pushes). With `"off"`, only the start and a reload check.',
    tls: "HTTPS with certificate files. A pair that is missing, does not match or has expired is an error at the start; a renewed pair is used without a restart.",
    acme: "HTTPS with automatic certificates, instead of `[server.tls]`; see [Automatic certificates](operations.md#automatic-certificates).",
  },
);

/** `[admin]`. */
export const AdminTable = TableSetting(
  {
    host: Defaulted(CheckedString("host", isHost, { expected: EXPECTED_HOST }), "127.0.0.1"),
    port: Defaulted(Port, 9001),
    token: Type.Optional(SecretSetting),
    hosts: Defaulted(
      Type.Array(
        CheckedString("host", isHost, {
          expected: 'a host name such as "hooklatch.internal", without a port',
        }),
        {
          expected: "a list of host names",
        },
      ),
      [],
    ),
    dashboard: Defaulted(Type.Boolean({ expected: "true or false" }), true),
  },
  {
    host: "IP address or host name to listen on.",
    dashboard: "Whether the listener serves the [dashboard](dashboard.md).",
    hosts:
      "Further names by which other machines reach the listener, such as the name of a container. Requests for any other name are rejected.",
    port: "TCP port. `0` picks a free one, which the log names.",
    token:
      "Token that every request must show. Default: `$HOOKLATCH_ADMIN_TOKEN`, else generated and stored in `<data_dir>/secrets/admin.token`.",
  },
);

/** The keys of every `[[source]]`, whatever its provider. */
export const SourceTable = TableSetting(
  {
    name: Name,
    provider: Type.String({ expected: "the name of a provider" }),
    path: Type.String({
      // Paths are compared with a request's path byte for byte, so nothing in them may need decoding.
      pattern: "^(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+$",
      expected: 'a path such as "/github-webhook", of letters, digits and "._~-", without a slash at its end',
    }),
    allow: Type.Optional(
      Type.Array(
        Type.String({ expected: "an IP address, a range, or a provider that publishes its address ranges" }),
        // An empty list would refuse every sender.
        {
          minItems: 1,
          expected:
            "a list of IP addresses, ranges and providers that publish their address ranges, with at least one",
        },
      ),
    ),
    on_redelivery: Type.Optional(
      Type.Union([Type.Literal("run"), Type.Literal("skip")], { expected: '"run" or "skip"' }),
    ),
    keep_headers: Defaulted(
      Type.Array(
        Type.String({
          pattern: HEADER_NAME,
          expected: 'the name of a header, such as "x-tenant"',
        }),
        { maxItems: 50, expected: "a list of at most 50 names of headers" },
      ),
      [],
    ),
    wait: Type.Optional(DurationUpTo(55_000)),
    response: Type.Optional(
      TableSetting(
        {
          status: Defaulted(
            Type.Integer({ minimum: 200, maximum: 299, expected: "a status code from 200 to 299" }),
            200,
          ),
          headers: Defaulted(
            Type.Record(
              Type.String({ pattern: HEADER_NAME }),
              Type.String({ pattern: "^[\\x20-\\x7e]{0,1024}$", expected: "at most 1,024 ASCII characters" }),
              {
                additionalProperties: false,
                expected: "a table of headers",
                expectedKey: "the name of a header",
              },
            ),
            {},
          ),
          body: Defaulted(
            Type.String({ maxLength: 65_536, expected: "a text of at most 65,536 characters" }),
            "",
          ),
        },
        {
          status: "Status code.",
          headers: "Headers. The content type is `text/plain` unless one of them sets it.",
          body: "Body.",
        },
      ),
    ),
    print: Type.Optional(Switch),
  },
  {
    name: "Name in commands, logs and the names of generated secrets. Unique, without regard to case.",
    provider: "Name of the sender's provider, which determines the further keys.",
    path: "Path of the URL, compared exactly. `/healthz` is reserved.",
    allow:
      "Addresses that may send. The name of a provider means the [ranges that it publishes](senders.md#restrict-the-addresses). Default: any address.",
    on_redelivery:
      'What a delivery does that the sender repeats under the same id: `"run"` runs it again, `"skip"` treats it as a duplicate. Default: `"skip"` for senders that repeat deliveries on their own, `"run"` for the others.',
    keep_headers:
      "Headers that are stored with each delivery, for [rules](deployments.md#rules) and the API, besides those that the provider names. Headers that hold credentials cannot be stored.",
    wait: "For senders that read the response: how long it waits for the deployments of the delivery, at most 55s; see [Answers](senders.md#answers). Default: the response does not wait.",
    response:
      "For senders that expect a certain response: the answer to every accepted delivery; see [Answers](senders.md#answers). Default: JSON with the number of the delivery.",
    print:
      "Print each accepted payload as one line of JSON on standard output. Default: `true` if no target uses the source.",
  },
);
