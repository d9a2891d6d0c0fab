import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Workshop } from "./executable.ts";

/** When the server is killed within a stage, and what goes on afterwards. */
export type Moment =
  /** Before the stage did anything; it never does. */
  | "before"
  /** Once the stage did its work. */
  | "after"
  /** While the stage is at work: its process lives on and works, again and again, beside the restarted server. */
  | "beside"
  /** The same, and the process does not heed TERM. */
  | "stubbornly beside"
  /** Amid its work, leaving what is left then: git's locks and half a pack, or the next link. */
  | "amid";

/**
 * Programs that kill the server which runs them, once, at a stage of a deployment that a test names: `git`, before
 * the real one in PATH, and `step`, for the commands of a target.
 */
export class Saboteur {
  readonly #workshop: Workshop;
  readonly #directory: string;

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    this.#directory = join(workshop.path, "saboteur");
    const git = Bun.which("git");
    if (git === null) throw new Error("there is no git");
    this.#install("git", `work() { ${git} "$@"; }\n${GIT_LITTER}`);
    this.#install("step", STEP);
  }

  /** PATH with the programs before all others. */
  get path(): string {
    return `${join(this.#directory, "bin")}:${process.env.PATH}`;
  }

  /** Has the server killed the next time that a program is called with these words side by side. */
  arm(words: string, moment: Moment): void {
    this.#workshop.write("saboteur/moment", moment);
    this.#workshop.write("saboteur/words", words);
  }

  /** Whether the kill that was armed last has happened. */
  get struck(): boolean {
    return !existsSync(join(this.#directory, "words"));
  }

  /** Lets what lives on beside the server go on now, whatever the server does. */
  release(): void {
    this.#workshop.write("saboteur/met", "");
  }

  #install(name: string, work: string): void {
    const file = this.#workshop.write(`saboteur/bin/${name}`, script(this.#directory, work));
    chmodSync(file, 0o755);
  }
}

/** Locks that would stop every later git, and what a fetch had received so far. */
const GIT_LITTER = `litter() {
  repository=\${GIT_DIR:-.git}
  mkdir -p "$repository/refs/hooklatch" "$repository/objects/pack"
  for name in index packed-refs shallow config HEAD refs/hooklatch/tip; do touch "$repository/$name.lock"; done
  touch "$repository/objects/pack/tmp_pack_a1b2c3"
}`;

/** The files that a step leaves tell how far a release came. Builds write to absolute paths, and make them. */
const STEP = `work() { mkdir -p "$PWD/$1-made/of/directories" && touch "$PWD/$1.done"; }
litter() { ln -sfn releases/nowhere ../../.current-next; }`;

/** The parent of each program is the server: it starts them through a shell that becomes them. */
function script(directory: string, functions: string): string {
  return `#!/bin/sh
here='${directory}'
${functions}
words=$(cat "$here/words" 2>/dev/null)
case " $* " in
  *" \${words:-nothing is armed} "*) ;;
  *)
    # The server came to the same stage again: what lives on beside it has met it there.
    test ! -e "$here/beside" || case " $* " in *" $(cat "$here/beside") "*) touch "$here/met" ;; esac
    work "$@"
    exit
    ;;
esac
moment=$(cat "$here/moment")
strike() { rm "$here/words"; kill -9 $PPID; }
case $moment in
  before) strike ;;
  after) work "$@"; strike ;;
  amid) work "$@"; litter; strike ;;
  *beside)
    if test "$moment" = beside; then trap 'rm -f "$here/beside"; exit 1' TERM; else trap '' TERM; fi
    echo "$words" > "$here/beside"
    strike
    while test ! -e "$here/met"; do work "$@"; sleep 0.01; done
    rm -f "$here/beside"
    ;;
esac
`;
}
