/** The directory of the sites unless `--sites` names another one. */
export const DEFAULT_SITES = "/srv/sites";

/** What differs between the units of two machines. */
export interface UnitOptions {
  /** The absolute path of the executable. */
  readonly executable: string;
  /** The directories that targets deploy to, or their parents. */
  readonly writable: readonly string[];
  /** Whether hooklatch itself listens on ports below 1024. */
  readonly hasLowPorts: boolean;
}

/**
 * The systemd unit, of `init --system` and of the Debian package. With {@link DEFAULT_SITES} and
 * /usr/local/bin/hooklatch it is examples/hooklatch.service.
 */
export function writeUnit({ executable, writable, hasLowPorts }: UnitOptions): string {
  return `# systemd unit for hooklatch. To add to it, run \`systemctl edit hooklatch\`.

[Unit]
Description=hooklatch receives webhooks and deploys
Wants=network-online.target
After=network-online.target

[Service]
# The start is complete when the server listens, or waits for its first certificate. Upgrading a large database takes time.
Type=notify
TimeoutStartSec=infinity
ExecStart=${executable} serve
# Reload re-reads the configuration. No request and no deployment is interrupted.
ExecReload=/bin/kill -HUP $MAINPID
User=hooklatch
# Creates /var/lib/hooklatch, which is also the home directory of the user.
StateDirectory=hooklatch
StateDirectoryMode=0700
# One line for each "credential:NAME" in hooklatch.toml. The file may belong to root, mode 0600.
#LoadCredential=NAME:/etc/hooklatch/NAME

# A running deployment gets \`shutdown_grace\` (30 s) to finish before it is stopped.
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure
# Exit code 2: the configuration is wrong. A restart does not help.
RestartPreventExitStatus=2

# The directory of the sites: a new site below it needs no change here. For a site elsewhere, add its directory.
# With "-", the service also starts when the directory does not exist.
${writeWritable(writable)}

# Hardening. Remove a line if your build commands need what it takes away.
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
NoNewPrivileges=true
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
RestrictRealtime=true
RestrictSUIDSGID=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
LockPersonality=true
SystemCallArchitectures=native
UMask=0022

# Only if hooklatch itself listens on a port below 1024:
${hasLowPorts ? "" : "#"}${LOW_PORTS}
# Upper limits for the server and the build commands together:
#LimitNOFILE=65536
#MemoryMax=2G
#TasksMax=512

[Install]
WantedBy=multi-user.target
`;
}

const LOW_PORTS = "AmbientCapabilities=CAP_NET_BIND_SERVICE";

/**
 * A drop-in with what the unit of a package lacks; null if it lacks nothing. A copy of the whole unit would hide later
 * versions of it.
 */
export function writeDropIn({ writable, hasLowPorts }: Omit<UnitOptions, "executable">): string | null {
  const missing = writable.filter((path) => path !== DEFAULT_SITES);
  const lines = [
    ...(missing.length > 0 ? [writeWritable(missing)] : []),
    ...(hasLowPorts ? [LOW_PORTS] : []),
  ];
  return lines.length === 0 ? null : `[Service]\n${lines.join("\n")}\n`;
}

function writeWritable(paths: readonly string[]): string {
  return `ReadWritePaths=${paths.map((path) => `-${path}`).join(" ")}`;
}

/**
 * A polkit rule that lets the user of the service restart or reload one unit. The verbs are those of systemd's
 * `manage-units` (https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html#Security).
 */
export function writeRestartRule(unit: string): string {
  return `// polkit rule: lets the user hooklatch restart or reload one service, and nothing else.
// \`hooklatch init --system --restart ${unit}\` writes it.
polkit.addRule(function (action, subject) {
  if (
    action.id === "org.freedesktop.systemd1.manage-units" &&
    action.lookup("unit") === ${JSON.stringify(unit)} &&
    ["restart", "reload", "reload-or-restart"].indexOf(action.lookup("verb")) >= 0 &&
    subject.user === "hooklatch"
  ) {
    return polkit.Result.YES;
  }
});
`;
}
