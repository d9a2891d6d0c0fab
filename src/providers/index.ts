import type { Provider } from "../domain/provider.ts";
import { bitbucket } from "./bitbucket/index.ts";
import { generic } from "./generic/index.ts";
import { gitea } from "./gitea/index.ts";
import { github } from "./github/index.ts";
import { gitlab } from "./gitlab/index.ts";
import { slack } from "./slack/index.ts";
import { standard } from "./standard/index.ts";
import { stripe } from "./stripe/index.ts";

/** Every provider. Configuration, help and `check` find them in this list. */
export const providers: readonly Provider[] = [
  github,
  gitlab,
  gitea,
  bitbucket,
  standard,
  stripe,
  slack,
  generic,
];
