import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import type { Random } from "../support/random.ts";
import { digest } from "../support/stored-data.ts";

/** One webhook request. It may be sent again, unchanged or with a new delivery ID. */
interface WebhookRequest {
  readonly path: string;
  readonly id: string;
  readonly body: string;
}

/** The relevant parts of a 2xx response. */
export interface Acknowledged {
  readonly status: string;
  readonly delivery: number;
  readonly deployments: readonly { readonly id: number; readonly target: string }[];
  readonly bodyDigest: string;
}

/** A destination of pushes, and its share compared with the other addresses. */
export interface Address {
  readonly path: string;
  readonly branch: string;
  readonly weight: number;
}

/** Several senders of pushes with unique bodies, which record every response. */
export class Load {
  /** All 2xx responses in the order of arrival. */
  readonly acknowledged: Acknowledged[] = [];
  /** All other status codes. */
  readonly rejections: number[] = [];
  /** Requests without a 2xx response. The senders repeat them later as the same delivery. */
  readonly #unanswered: WebhookRequest[] = [];
  readonly #answered: WebhookRequest[] = [];
  #made = 0;

  constructor(
    readonly random: Random,
    readonly secret: string,
    readonly commit: string,
    readonly addresses: readonly Address[],
  ) {}

  /** Runs `senders` concurrent senders until the server stops responding. Each sends one request at a time. */
  async run(url: URL, senders: number): Promise<void> {
    await Promise.all(Array.from({ length: senders }, () => this.#sendUntilGone(url)));
  }

  /** Sends one new push to every address. */
  async sendToEach(url: URL): Promise<void> {
    for (const address of this.addresses) await this.#send(url, this.#make(address));
  }

  async #sendUntilGone(url: URL): Promise<void> {
    while (await this.#send(url, this.#choose()));
  }

  /** Resolves with whether the server responded. */
  async #send(url: URL, request: WebhookRequest): Promise<boolean> {
    try {
      const options = { secret: this.secret, id: request.id };
      const response = await deliver(new URL(request.path, url), "push", request.body, options);
      this.#record(request, response.status, (await response.json()) as Partial<Acknowledged>);
      return true;
    } catch {
      this.#unanswered.push(request);
      return false;
    }
  }

  #record(request: WebhookRequest, code: number, answer: Partial<Acknowledged>): void {
    if (code < 200 || code > 299) {
      this.rejections.push(code);
      this.#unanswered.push(request);
      return;
    }
    this.#answered.push(request);
    const { status = "", delivery = 0, deployments = [] } = answer;
    this.acknowledged.push({ status, delivery, deployments, bodyDigest: digest(request.body) });
  }

  /**
   * Chooses an unanswered request if there is one. Otherwise mostly a new one, and sometimes an answered one, unchanged
   * or as a new delivery.
   */
  #choose(): WebhookRequest {
    const unanswered = this.#unanswered.shift();
    if (unanswered !== undefined) return unanswered;
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
    if (address === undefined) throw new Error("no address to send to");
    return address;
  }

  #make({ path, branch }: Address): WebhookRequest {
    const body = pushBody({ ref: `refs/heads/${branch}`, after: this.commit, number: ++this.#made });
    return { path, id: crypto.randomUUID(), body };
  }
}
