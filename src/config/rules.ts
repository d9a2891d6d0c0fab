import type { Provider } from "../domain/provider.ts";
import { RULE_VARIABLES } from "../domain/rule.ts";
import type { Target, WaitForCi } from "../domain/target.ts";
import { compileExpression, type Expression } from "../lib/expression.ts";
import type { ReadContext } from "./read/context.ts";
import { child, formatValue, type Place, quoteList } from "./read/issues.ts";
import type { CheckedSource } from "./source.ts";
import type { TargetSettings } from "./target-schema.ts";

/** The types of `payload_env` values. A `dyn` value is checked when it is evaluated. */
const SCALARS = ["string", "int", "uint", "double", "bool", "null", "null_type", "dyn"];

/** Names that are always allowed, because no program reads them. */
const FREE_PREFIX = /^(?:PAYLOAD|HOOK)_/;

/** Variables that decide which programs run, which code they load or whom they trust. A payload must never set them. */
const PROTECTED_NAMES = [
  ...["PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "ENV", "IFS", "PS4", "DISPLAY", "TERM"],
  ...["TMP", "TEMP", "TMPDIR", "TERMINFO", "LOCPATH", "NLSPATH", "GLOBIGNORE", "ZDOTDIR", "POSIXLY_CORRECT"],
  ...["CC", "CXX", "CPP", "AR", "AS", "LD", "RANLIB", "FC", "MAKE", "SHELLOPTS", "BASHOPTS", "TCLLIBPATH"],
];

/** Beginnings of the names that a program or language has for itself. */
const PROTECTED_PREFIXES =
  /^(?:LD|DYLD|GIT|SSH|BASH|ZSH|NODE|NPM|YARN|PNPM|COREPACK|BUN|DENO|PYTHON|PIP|UV|PERL|PERL5|RUBY|GEM|BUNDLE|JAVA|_JAVA|JDK|MAVEN|GRADLE|GO|CGO|CARGO|RUST|RUSTC|PHP|COMPOSER|DOCKER|COMPOSE|KUBE|HELM|DOTNET|CORECLR|COMPLUS|LUA|ERL|ELIXIR|MIX|JULIA|R|GHC|OPAM|OPENSSL|SSL|CURL|WGET|GNUPG|GPG|SVN|HG|CVS|RSYNC|TAR|GZIP|BZIP2?|XZ|ZSTD|MAKE|GNUMAKE|CMAKE|MALLOC|GLIBC|GCONV|ASAN|LESS|MAN|SUDO|XDG|DBUS|SYSTEMD|AWS|AZURE|GOOGLE|LC|HTTPS?|FTP|ALL|NO|https?|ftp|all|no|npm)(?:_|$|[A-Z]*(?:OPTS?|LIB|PATH|FLAGS|PROXY|HOME|STARTUP|INSPECT|ENV|RC|DB|SHELL|FILES?|USERBASE|BREAKPOINT|WARNINGS|CONFIG))/;

/** Ends of names that name a program, its options, its code or its settings in most tools. */
const PROTECTED_ENDS =
  /(?:PATH|_?OPTS|_?OPTIONS|_?ARGS|FLAGS|_HOME|_INIT|STARTUP|STARTUP_HOOKS|RC|RC_PATH|_CONFIG|_CONF|CONFIG_FILE|EDITOR|VISUAL|PAGER|BROWSER|LESSOPEN|SHELL|_CMD|_COMMAND|WRAPPER|_RSH|_SSH|ASKPASS|PRELOAD|_HOOKS?|_PLUGINS?|CERT_FILE|CERT_DIR|CA_BUNDLE|REGISTRY|INDEX_URL|_PROXY|_proxy|PROFILE|PROFILE_USER|PROFILER)$/;

/** Whether a variable decides which programs run, which code they load or whom they trust. */
export function isProtectedVariable(name: string): boolean {
  if (FREE_PREFIX.test(name)) return false;
  return PROTECTED_NAMES.includes(name) || PROTECTED_PREFIXES.test(name) || PROTECTED_ENDS.test(name);
}

/** How rules are read. */
interface RulesContext extends ReadContext {
  readonly providers: readonly Provider[];
}

/** Reads `wait_for_ci`, `events`, `when` and `payload_env` of a target. Expressions that do not compile are faults. */
export function readRules(
  { values, place, has }: TargetSettings,
  source: CheckedSource | undefined,
  context: RulesContext,
): Pick<Target, "events" | "when" | "payloadEnv" | "waitForCi"> & { readonly allowsCatchUp: boolean } {
  const { events = null, when: condition } = values;
  const when = condition === undefined ? null : readCondition(condition, child(place, "when"), context);
  const payloadEnv = readPayloadEnv({ values, place }, context);
  const waitForCi = readWaitForCi({ values, place, has }, source, context);
  const skipsPushes = waitForCi !== null || (events !== null && !events.includes("push"));
  const needsDelivery = condition !== undefined || skipsPushes;
  if (needsDelivery && has("catch_up") && values.catch_up && has("repository")) {
    const cause = waitForCi !== null ? "wait_for_ci" : condition === undefined ? "events" : "when";
    context.issues.fault(
      child(place, "catch_up"),
      `a missed push has no delivery that "${cause}" could decide about: remove this key, or set it to false`,
    );
  }
  const allowsCatchUp = !needsDelivery;
  return { events: events && Object.freeze(events), when, payloadEnv, waitForCi, allowsCatchUp };
}

/** Reads `wait_for_ci`; null when pushes are deployed. */
function readWaitForCi(
  { values, place, has }: Pick<TargetSettings, "values" | "place" | "has">,
  source: CheckedSource | undefined,
  { issues, providers }: RulesContext,
): WaitForCi | null {
  const { wait_for_ci: setting = false } = values;
  if (setting === false) return null;
  const { provider, forge } = source ?? {};
  if (
    has("repository") &&
    provider !== undefined &&
    (provider.reportsCi === undefined || forge?.reportsCi === false)
  ) {
    const reporting = providers.filter(({ reportsCi }) => reportsCi !== undefined).map(({ name }) => name);
    const use = `remove this key, or use a source of provider ${quoteList(reporting)}`;
    issues.fault(
      child(place, "wait_for_ci"),
      `source ${formatValue(source?.name)} of provider "${provider.name}" does not report CI: ${use}`,
    );
  }
  if (has("events")) {
    // An event besides pushes would deploy the tip, whatever its CI says.
    issues.fault(
      child(place, "events"),
      "cannot be combined with wait_for_ci, which deploys only commits whose CI succeeded: remove one of them",
    );
  }
  return Object.freeze({ workflow: setting === true ? null : setting });
}

function readCondition(text: string, place: Place, context: ReadContext): Expression | null {
  const expression = compile(text, place, context);
  if (expression === null || ["bool", "dyn"].includes(expression.type)) return expression;
  context.issues.fault(
    place,
    `expected an expression that is true or false, found one of type ${expression.type}`,
  );
  return null;
}

function readPayloadEnv(
  { values, place }: Pick<TargetSettings, "values" | "place">,
  context: ReadContext,
): Readonly<Record<string, Expression>> {
  const at = child(place, "payload_env");
  const compiled = Object.entries<string>(values.payload_env).flatMap(([name, text]) => {
    const own = child(at, name);
    if (isProtectedVariable(name)) {
      context.issues.fault(
        own,
        `a payload must not set ${name}, which can change what programs do: choose a name such as PAYLOAD_${name}`,
      );
    }
    for (const key of ["env", "pass_env"] as const) {
      const isTaken = key === "env" ? Object.hasOwn(values.env, name) : values.pass_env.includes(name);
      if (isTaken) context.issues.fault(own, `${formatValue(name)} is in "${key}" too: remove one of them`);
    }
    const expression = compile(text, own, context);
    if (expression === null) return [];
    if (!SCALARS.includes(expression.type)) {
      context.issues.fault(
        own,
        `expected an expression for a string, number or boolean, found one of type ${expression.type}`,
      );
    }
    return [[name, expression] as const];
  });
  return Object.freeze(Object.fromEntries(compiled));
}

function compile(text: string, place: Place, { issues }: ReadContext): Expression | null {
  const result = compileExpression(text, RULE_VARIABLES);
  if (result.kind === "compiled") return result.expression;
  issues.fault(place, `expected a CEL expression, found ${formatValue(text)}: ${result.problem}`);
  return null;
}
