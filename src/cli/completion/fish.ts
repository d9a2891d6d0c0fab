import { type CompletedCommand, type CompletedOption, listRoutes, type Value } from "./tree.ts";

/** The completion script for fish. */
export function writeFish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ route, subcommands, options, argument }) => {
    const here = `complete -c hooklatch -n ${quote(`__hooklatch_at ${quote(route)}`)}`;
    return [
      ...subcommands.map(({ word, meaning }) => `${here} -a ${word} -d ${quote(meaning)}`),
      ...options.map((option) => `${here} ${describeOption(option)}`),
      ...(argument.kind === "nothing known" ? [] : [`${here} ${describeValue(argument)}`]),
    ];
  });
  return `# Completes hooklatch in fish: hooklatch completion fish | source
function __hooklatch_at
  set -l route ''
  set -l typed (commandline -opc)
  for word in $typed[2..-1]
    switch "$route $word"
      case ${listRoutes(commands).map(quote).join(" ")}
        set route "$route $word"
    end
  end
  test "$route" = "$argv[1]"
end
complete -c hooklatch -f
${lines.join("\n")}
`;
}

function describeOption({ long, short, meaning, value }: CompletedOption): string {
  const names = [...(short === null ? [] : [`-s ${short.slice(1)}`]), `-l ${long.slice(2)}`];
  // -x takes the files away that -r alone would offer besides.
  const follows =
    value === null ? [] : [value.kind === "file" ? "-r -F" : `-x ${describeValue(value)}`.trim()];
  return [...names, ...follows, `-d ${quote(meaning)}`].join(" ");
}

function describeValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return "-F";
    case "target":
      return `-a ${quote("(hooklatch completion targets 2>/dev/null)")}`;
    case "choice":
      return `-a ${quote(value.choices.join(" "))}`;
    case "nothing known":
      return "";
  }
}

/** A text as one word of fish, in whose single quotes a backslash escapes. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
