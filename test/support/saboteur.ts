import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Workshop } from "./executable.ts";

/** The moment within a stage at which the server is killed, and what continues afterwards. */
export type Moment =
  /** Before the stage starts its work, which it never does. */
  | "before"
  /** After the stage has finished its work. */
  | "after"
  /** During the work: its process survives and repeats the work while the restarted server runs. */
  | "beside"
  /** Like `beside`, but the process ignores SIGTERM. */
  | "stubbornly beside"
  /** During the work, with partial results left behind: lock files of git and a partial pack, or the next link. */
  | "amid";

/**
 * Programs that kill the server that runs them, once, at a given stage of a deployment: `git`, which precedes the real
 * one in PATH, and `step`, for the commands of a target.
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

  /** A PATH in which these programs precede all others. */
  get path(): string {
    return `${join(this.#directory, "bin")}:${process.env.PATH}`;
  }

  /** Kills the server the next time a program is called with these consecutive arguments. */
  arm(words: string, moment: Moment): void {
    this.#workshop.write("saboteur/moment", moment);
    this.#workshop.write("saboteur/words", words);
  }

  /** Whether the last armed kill has happened. */
  get struck(): boolean {
    return !existsSync(join(this.#directory, "words"));
  }

  /** Makes the process that survives beside the server finish, independent of the server. */
  release(): void {
    this.#workshop.write("saboteur/met", "");
  }

  #install(name: string, work: string): void {
    const file = this.#workshop.write(`saboteur/bin/${name}`, script(this.#directory, work));
    chmodSync(file, 0o755);
  }
}

/** Lock files that make every later git command fail, and a partially received pack. */
const GIT_LITTER = `litter() {
  repository=\${GIT_DIR:-.git}
  mkdir -p "$repository/refs/hooklatch" "$repository/objects/pack"
  for name in index packed-refs shallow config HEAD refs/hooklatch/tip; do touch "$repository/$name.lock"; done
  touch "$repository/objects/pack/tmp_pack_a1b2c3"
}`;

/** A step leaves files that show the progress of a release, also in a directory that it creates by absolute path. */
const STEP = `work() { mkdir -p "$PWD/$1-made/of/directories" && touch "$PWD/$1.done"; }
litter() { ln -sfn releases/nowhere ../../.current-next; }`;

/** The parent of each program is the server, because its shell replaces itself by the program with `exec`. */
function script(directory: string, functions: string): string {
  return `#!/bin/sh
here='${directory}'
${functions}
words=$(cat "$here/words" 2>/dev/null)
case " $* " in
  *" \${words:-nothing is armed} "*) ;;
  *)
    # The server reached the same stage again, beside the surviving process.
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
