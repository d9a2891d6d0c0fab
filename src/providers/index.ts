import type { Provider } from "../domain/provider.ts";
import { generic } from "./generic/index.ts";
import { github } from "./github/index.ts";

/** Every provider there is. Configuration, help and `check` know of a provider from this list. */
export const providers: readonly Provider[] = [github, generic];
