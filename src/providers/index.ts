import type { Provider } from "../domain/provider.ts";
import { generic } from "./generic/index.ts";
import { github } from "./github/index.ts";

/** Every provider. Configuration, help and `check` find them in this list. */
export const providers: readonly Provider[] = [github, generic];
