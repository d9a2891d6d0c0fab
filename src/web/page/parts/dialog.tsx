import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { announce } from "../live.ts";
import { explain, type Outcome } from "../request.ts";

/** An action that a person confirms. */
export interface Action {
  readonly title: string;
  /** What happens, and the fields of the form. */
  readonly body: ComponentChildren;
  /** The text of the button. */
  readonly confirm: string;
  readonly isDangerous?: boolean;
  /** Sends the request with the fields of the form. */
  readonly run: (fields: FormData) => Promise<Outcome<unknown>>;
  /** Called after a success. */
  readonly done: () => void;
}

/** A button that opens a dialog, which confirms an action. A failure is shown in the dialog. */
export function ActionButton({
  label,
  action,
  kind = "",
  isDisabled = false,
}: {
  readonly label: ComponentChildren;
  readonly action: () => Action;
  /** Classes of the button. */
  readonly kind?: string;
  readonly isDisabled?: boolean;
}) {
  const open = useSignal<Action | null>(null);
  return (
    <>
      <button
        type="button"
        class={`button ${kind}`}
        disabled={isDisabled}
        onClick={() => {
          open.value = action();
        }}
      >
        {label}
      </button>
      {open.value !== null && (
        <ActionDialog
          action={open.value}
          close={() => {
            open.value = null;
          }}
        />
      )}
    </>
  );
}

function ActionDialog({ action, close }: { readonly action: Action; readonly close: () => void }) {
  const { title, body, confirm, isDangerous = false, run, done } = action;
  const dialog = useRef<HTMLDialogElement>(null);
  const isBusy = useSignal(false);
  const failure = useSignal<string | null>(null);

  // A modal dialog keeps the focus inside, closes with Escape, and gives the focus back.
  useEffect(() => dialog.current?.showModal(), []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (isBusy.value || !(event.currentTarget instanceof HTMLFormElement)) return;
    isBusy.value = true;
    failure.value = null;
    const outcome = await run(new FormData(event.currentTarget));
    isBusy.value = false;
    if (outcome.kind === "done") {
      dialog.current?.close();
      return done();
    }
    failure.value = explain(outcome);
    announce(`${title} failed: ${failure.value}`, true);
  }

  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={close}>
      <form method="dialog" onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        <div class="dialog-body">{body}</div>
        {failure.value !== null && <p class="notice bad">{failure.value}</p>}
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
          <button
            type="submit"
            class={`button ${isDangerous ? "danger" : "primary"}`}
            disabled={isBusy.value}
          >
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
