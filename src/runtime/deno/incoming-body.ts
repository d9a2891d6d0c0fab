import type { IncomingMessage } from "node:http";

/**
 * The body of a message as a web stream, which fails after `largest` bytes. Cancelling it only stops reading:
 * `Readable.toWeb` would close the connection, on which the response to a request is still to be sent.
 */
export function readIncomingBody(
  message: IncomingMessage,
  largest: number | null,
  onCancel = () => void message.pause(),
): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let received = 0;
        const end = (finish: () => void) => {
          if (!isOver) finish();
          isOver = true;
        };
        message.on("data", (chunk: Uint8Array) => {
          if (isOver) return;
          received += chunk.length;
          if (largest !== null && received > largest) {
            message.pause();
            return end(() => controller.error(new RangeError(`the body has more than ${largest} bytes`)));
          }
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        });
        message.on("end", () => end(() => controller.close()));
        message.on("error", (error) => end(() => controller.error(error)));
        message.on("close", () => end(() => controller.error(closedEarly())));
        message.pause();
      },
      pull: () => void message.resume(),
      cancel() {
        isOver = true;
        onCancel();
      },
    },
    { highWaterMark: 65_536, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

function closedEarly(): Error {
  return Object.assign(new Error("the connection was closed before the end of the body"), {
    code: "ECONNRESET",
  });
}
