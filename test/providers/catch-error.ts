/** Runs `action` and returns the error that it throws or rejects with. Throws when the action succeeds. */
export async function catchError(action: () => unknown): Promise<Error> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("the action succeeded, and an error was expected");
}
