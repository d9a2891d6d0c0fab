import { Argument, Command, type Option } from "commander";
import { ApiDelivery } from "../../api/delivery.ts";
import { ApiDeployment } from "../../api/deployment.ts";
import { ApiPage } from "../../api/page.ts";
import { ApiStatus } from "../../api/status.ts";
import { ApiTarget, ApiTargetDetails } from "../../api/target.ts";
import { type Admin, findAdmin, readAdmin, readAllPages } from "../api/client.ts";
import { withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

/**
 * Each shell's script and how to load it. A script passes the words after `hooklatch`, up to the cursor, to
 * `hooklatch complete` and offers what that prints, or file names if it prints nothing.
 */
export const SHELLS = {
  bash: {
    usage: `eval "$(hooklatch completion bash)"  # in ~/.bashrc`,
    script: `_hooklatch() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _hooklatch hooklatch
`,
  },
  zsh: {
    usage: "source <(hooklatch completion zsh)  # in ~/.zshrc, after compinit",
    script: `#compdef hooklatch
_hooklatch() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=("\${candidates[@]/$'\\t'/:}")
  if [[ -z \${candidates[1]} ]]; then _files; else _describe hooklatch candidates; fi
}
if [[ \${funcstack[1]} == _hooklatch ]]; then _hooklatch "$@"; else compdef _hooklatch hooklatch; fi
`,
  },
  fish: {
    usage: "hooklatch completion fish > ~/.config/fish/completions/hooklatch.fish",
    script: `function __hooklatch_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l candidates ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if set -q candidates[1]
        printf '%s\\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c hooklatch -f -a '(__hooklatch_complete)'
`,
  },
} as const;

/** `hooklatch completion`: prints the script with which a shell completes commands, options and targets. */
export function completion(terminal: Terminal): Command {
  const command = new Command("completion")
    .description("print a script that makes a shell complete hooklatch")
    .addArgument(new Argument("<shell>", "shell that reads the script").choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => terminal.out(SHELLS[shell].script));
  return withExamples(command, ...Object.values(SHELLS).map(({ usage }) => usage));
}

/**
 * `hooklatch complete`: prints the candidates for the last of the given words, each with a tab and its description. The
 * scripts of `hooklatch completion` call it.
 */
export function complete(terminal: Terminal): Command {
  const command = new Command("complete").argument("[words...]");
  return command.action(async (words: readonly string[]) => {
    if (command.parent === null) return;
    const prefix = words.at(-1) ?? "";
    for (const { word, description } of await listCandidates(command.parent, words, terminal)) {
      if (word.startsWith(prefix)) terminal.out(`${word}\t${description}\n`);
    }
  });
}

interface Candidate {
  readonly word: string;
  readonly description: string;
}

async function listCandidates(
  program: Command,
  words: readonly string[],
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  let command = program;
  let option: Option | undefined;
  const used = new Set<Option>();
  const values: string[] = [];
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      option = undefined;
      continue;
    }
    const named = command.options.find(({ short, long }) => [short, long].includes(word));
    const next = command.commands.find((each) => each.name() === word);
    option = named?.required ? named : undefined;
    if (named !== undefined) used.add(named);
    else if (next !== undefined) command = next;
    else if (!word.startsWith("-")) values.push(word);
  }
  const help = command.createHelp();
  if (option === undefined && words.at(-1)?.startsWith("-")) {
    return help
      .visibleOptions(command)
      .filter((each) => !used.has(each))
      .flatMap(({ short, long, description }) =>
        [short, long].flatMap((word) => (word == null ? [] : [{ word, description }])),
      );
  }
  // A value that has been given is not offered again for the next argument.
  const argument = command.registeredArguments[values.length];
  const value = option ?? argument;
  if (value === undefined) {
    if (command.registeredArguments.length > 0) return [];
    return help
      .visibleCommands(command)
      .map((each) => ({ word: each.name(), description: help.subcommandDescription(each) }));
  }
  const name = option === undefined ? argument?.name() : /<(.*)>$/.exec(option.flags)?.[1];
  const known = value.argChoices ?? (await listKnown(name ?? "", command.parent?.name(), values, terminal));
  return known.map((word) => ({ word, description: "" }));
}

/** Milliseconds that the server may take while the user waits at the keyboard. */
const TIMEOUT = 2000;

/** Ids that are offered, the newest. */
const MAX_IDS = 20;

/**
 * The values that the running server knows for an argument, without those that a shell would expand; empty if the server
 * is unavailable.
 *
 * @param noun the command above, such as `deployment`.
 * @param values the arguments before.
 */
async function listKnown(
  argument: string,
  noun: string | undefined,
  [first = ""]: readonly string[],
  terminal: Terminal,
): Promise<readonly string[]> {
  try {
    const known = await readKnown(argument, noun, first, findAdmin({}, terminal));
    return known.filter((word) => /^[\w.-]+$/.test(word));
  } catch {
    return [];
  }
}

async function readKnown(
  argument: string,
  noun: string | undefined,
  first: string,
  admin: Admin,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(TIMEOUT);
  if (argument === "target") {
    const { value } = await readAllPages(ApiTarget, admin, { path: "/api/targets", signal });
    return value.items.map(({ name }) => name);
  }
  if (argument === "release") {
    const path = `/api/targets/${encodeURIComponent(first)}`;
    const { value } = await readAdmin(ApiTargetDetails, admin, { path, signal });
    return value.releases ?? [];
  }
  if (argument === "host") {
    const { value } = await readAdmin(ApiStatus, admin, { path: "/api/status", signal });
    return value.hosts?.map(({ name }) => name) ?? [];
  }
  if (argument !== "id") return [];
  const query = { limit: MAX_IDS };
  if (noun === "deployment") {
    const { value } = await readAdmin(ApiPage(ApiDeployment), admin, {
      path: "/api/deployments",
      query,
      signal,
    });
    return value.items.map(({ id }) => String(id));
  }
  if (noun === "delivery") {
    const { value } = await readAdmin(ApiPage(ApiDelivery), admin, {
      path: "/api/deliveries",
      query,
      signal,
    });
    return value.items.map(({ id }) => String(id));
  }
  return [];
}
