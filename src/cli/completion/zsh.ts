import { quoteForShell } from "../../lib/text.ts";
import { type CompletedCommand, listRoutes, listValues, type Value, type Word } from "./tree.ts";

/** The completion script for zsh: a file `_hooklatch` in its `fpath`, or read by `source`. */
export function writeZsh(commands: readonly CompletedCommand[]): string {
  const values = listValues(commands).map(
    ({ places, value }) => `    (${places.map(quoteForShell).join("|")}) ${completeValue(value)} return ;;`,
  );
  const words = commands.map(({ route, subcommands, options, argument }) => {
    const names = options.flatMap(({ long, short, meaning }) =>
      [short, long].filter((name) => name !== null).map((word) => ({ word, meaning })),
    );
    const others = subcommands.length > 0 ? completeWords(subcommands) : completeValue(argument);
    return `    (${quoteForShell(route)}) if [[ $current == -* ]]; then ${completeWords(names)} else ${others} fi ;;`;
  });
  return `#compdef hooklatch
# Completes hooklatch in zsh: source <(hooklatch completion zsh)
_hooklatch() {
  local current=\${words[CURRENT]} route= word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$route $word" in
    (${listRoutes(commands).map(quoteForShell).join("|")}) route="$route $word" ;;
    esac
  done
  case "$route \${words[CURRENT-1]}" in
${values.join("\n")}
  esac
  case "$route" in
${words.join("\n")}
  esac
}
if [[ \${funcstack[1]} == _hooklatch ]]; then _hooklatch "$@"; else compdef _hooklatch hooklatch; fi
`;
}

function completeValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return "_files;";
    case "target":
      return `found=(\${(f)"$("\${words[1]}" completion targets 2>/dev/null)"}); compadd -a found;`;
    case "choice":
      return `compadd -- ${value.choices.map(quoteForShell).join(" ")};`;
    case "nothing known":
      return ":;";
  }
}

function completeWords(words: readonly Word[]): string {
  const described = words.map(({ word, meaning }) => quoteForShell(`${word}:${meaning}`));
  return `found=(${described.join(" ")}); _describe hooklatch found;`;
}
