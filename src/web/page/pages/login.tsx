import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { operatorName, rememberOperator } from "../operator.ts";
import { Logo } from "../parts/icons.tsx";
import { logIn } from "../request.ts";

/** The form that starts a session. The address stays, so that the page that was asked for appears afterwards. */
export function LoginPage() {
  const failure = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  useEffect(() => {
    document.title = "Log in · hooklatch";
  }, []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement) || isBusy.value) return;
    const form = event.currentTarget;
    const fields = new FormData(form);
    isBusy.value = true;
    rememberOperator(String(fields.get("name")));
    failure.value = await logIn(String(fields.get("token")).trim());
    isBusy.value = false;
    if (failure.value !== null) form.querySelector<HTMLInputElement>("#token")?.select();
  }

  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <h1>
          <Logo />
          hooklatch
        </h1>
        <label for="name">Your name</label>
        <input
          id="name"
          name="name"
          autocomplete="username"
          maxLength={100}
          value={operatorName()}
          aria-describedby="name-hint"
        />
        <p class="hint" id="name-hint">
          Optional. It is recorded with the locks that you set and the deployments that you cancel.
        </p>
        <label for="token">Admin token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          aria-describedby="token-hint token-error"
          aria-invalid={failure.value !== null}
        />
        <p class="notice bad" id="token-error" role="alert" hidden={failure.value === null}>
          {failure.value}
        </p>
        <button type="submit" class="button primary" disabled={isBusy.value}>
          Log in
        </button>
        <p class="hint" id="token-hint">
          On the server, <code>hooklatch dashboard</code> says where the token is.
        </p>
      </form>
    </main>
  );
}
