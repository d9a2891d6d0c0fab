import { quoteForShell } from "../../lib/text.ts";
import { type CompletedCommand, listRoutes, listValues, type Value } from "./tree.ts";

/** The completion script for bash. */
export function writeBash(commands: readonly CompletedCommand[]): string {
  const values = listValues(commands).map(
    ({ places, value }) => `    ${places.map(quoteForShell).join("|")}) ${completeValue(value)} return ;;`,
  );
  const words = commands.map(({ route, subcommands, options, argument }) => {
    const names = options.flatMap(({ long, short }) => (short === null ? [long] : [short, long]));
    const others =
      subcommands.length > 0 ? completeWords(subcommands.map(({ word }) => word)) : completeValue(argument);
    return `    ${quoteForShell(route)}) if [[ $current == -* ]]; then ${completeWords(names)} else ${others} fi ;;`;
  });
  return `# Completes hooklatch in bash: eval "$(hooklatch completion bash)"
_hooklatch() {
  local IFS=$' \\t\\n' current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} route= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$route $word" in
    ${listRoutes(commands).map(quoteForShell).join("|")}) route="$route $word" ;;
    esac
  done
  COMPREPLY=()
  case "$route $previous" in
${values.join("\n")}
  esac
  case "$route" in
${words.join("\n")}
  esac
}
complete -F _hooklatch hooklatch
`;
}

function completeValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return `IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null;`;
    case "target":
      return `COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion targets 2>/dev/null)" -- "$current"));`;
    case "choice":
      return completeWords(value.choices);
    case "nothing known":
      return ":;";
  }
}

function completeWords(words: readonly string[]): string {
  return `COMPREPLY=($(compgen -W ${quoteForShell(words.join(" "))} -- "$current"));`;
}
