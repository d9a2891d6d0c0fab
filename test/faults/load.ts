import { deliver } from "../support/github.ts";
import { digest } from "../support/kept.ts";
import { pushBody } from "../support/payloads.ts";
import type { Random } from "../support/random.ts";

/** One webhook request, to be sent once or, as the same or as a replay, again. */
interface Parcel {
  readonly path: string;
  readonly id: string;
  readonly body: string;
}

/** What a sender noted of an answer that was 2xx. */
export interface Acknowledged {
  readonly status: string;
  readonly delivery: number;
  readonly deployments: readonly { readonly id: number; readonly target: string }[];
  readonly bodyDigest: string;
}

/** Where pushes go, and how often compared with the others. */
export interface Address {
  readonly path: string;
  readonly branch: string;
  readonly weight: number;
}

/** Several senders of pushes with bodies that no other push has, and the note they keep of every answer. */
export class Load {
  /** Every answer that was 2xx, in the order they came. */
  readonly acknowledged: Acknowledged[] = [];
  /** Status codes that were not 2xx. */
  readonly refusals: number[] = [];
  /** What was sent and never answered: the senders try it again later, as the same delivery. */
  readonly #unanswered: Parcel[] = [];
  readonly #answered: Parcel[] = [];
  #made = 0;

  constructor(
    readonly random: Random,
    readonly secret: string,
    readonly commit: string,
    readonly addresses: readonly Address[],
  ) {}

  /** Lets `senders` send to a server, one request after the other each, until it answers no more. */
  async press(url: URL, senders: number): Promise<void> {
    await Promise.all(Array.from({ length: senders }, () => this.#sendUntilGone(url)));
  }

  /** Sends one new push to every address. */
  async sendToEach(url: URL): Promise<void> {
    for (const address of this.addresses) await this.#send(url, this.#make(address));
  }

  async #sendUntilGone(url: URL): Promise<void> {
    while (await this.#send(url, this.#choose()));
  }

  /** Whether there was an answer. */
  async #send(url: URL, parcel: Parcel): Promise<boolean> {
    try {
      const options = { secret: this.secret, id: parcel.id };
      const response = await deliver(new URL(parcel.path, url), "push", parcel.body, options);
      this.#note(parcel, response.status, (await response.json()) as Partial<Acknowledged>);
      return true;
    } catch {
      this.#unanswered.push(parcel);
      return false;
    }
  }

  #note(parcel: Parcel, code: number, answer: Partial<Acknowledged>): void {
    if (code < 200 || code > 299) {
      this.refusals.push(code);
      this.#unanswered.push(parcel);
      return;
    }
    this.#answered.push(parcel);
    const { status = "", delivery = 0, deployments = [] } = answer;
    this.acknowledged.push({ status, delivery, deployments, bodyDigest: digest(parcel.body) });
  }

  /** Mostly something new; now and then what was not answered, or was, once more, or an old body as a new delivery. */
  #choose(): Parcel {
    const again = this.#unanswered.shift();
    if (again !== undefined) return again;
    const dice = this.random.next();
    const earlier = dice < 0.1 ? this.random.pick(this.#answered) : undefined;
    if (earlier !== undefined) return dice < 0.05 ? earlier : { ...earlier, id: crypto.randomUUID() };
    return this.#make(this.#chooseAddress());
  }

  #chooseAddress(): Address {
    const weighted = this.addresses.flatMap((address) =>
      Array.from({ length: address.weight }, () => address),
    );
    const address = this.random.pick(weighted);
    if (address === undefined) throw new Error("there is no address to send to");
    return address;
  }

  #make({ path, branch }: Address): Parcel {
    const body = pushBody({ ref: `refs/heads/${branch}`, after: this.commit, number: ++this.#made });
    return { path, id: crypto.randomUUID(), body };
  }
}
