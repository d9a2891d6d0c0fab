import { type Complain, complainSparingly } from "../flow/complain.ts";
import type { AdminTools } from "./admin/tools.ts";
import { ANSWER_HEADERS, refuse } from "./answers.ts";

export type { About, AdminTools } from "./admin/tools.ts";

type IsOwnHost = (header: string) => boolean;

type Answer = (request: Request) => Response | Promise<Response>;

/**
 * The admin listener, for the people who run the server: loopback by default, always with the token.
 * Answers one request; `isOwnHost` knows the Host headers that are its own.
 */
export function createAdmin(
  tools: AdminTools,
): (request: Request, isOwnHost: IsOwnHost) => Promise<Response> {
  const complain = complainSparingly(tools.log, tools.clock);
  let routes: Promise<Answer> | null = null;
  /** Loaded when somebody asks for the first time: deliveries are taken some milliseconds earlier without it. */
  const answerRequest: Answer = async (request) => {
    routes ??= import("./admin/assemble.ts").then(({ assemble }) => assemble(tools).compile().fetch);
    return (await routes)(request);
  };
  return async (request, isOwnHost) => {
    const response =
      refuseStranger(request, isOwnHost, tools, complain) ?? (await answerHead(request, answerRequest));
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) response.headers.set(name, value);
    return response;
  };
}

/** Answers HEAD as GET without the body (RFC 9110, section 9.3.2); the framework would wait for a stream's end. */
async function answerHead(request: Request, answerRequest: Answer): Promise<Response> {
  if (request.method !== "HEAD") return answerRequest(request);
  const response = await answerRequest(new Request(request, { method: "GET" }));
  await response.body?.cancel();
  return new Response(null, response);
}

/**
 * Why a request is not let in, or null. A page that somebody else's DNS name brought to a browser on this machine
 * has that name in Host (DNS rebinding), and no token.
 */
function refuseStranger(
  request: Request,
  isOwnHost: IsOwnHost,
  { token, equal }: AdminTools,
  complain: Complain,
): Response | null {
  if (!isOwnHost(request.headers.get("host") ?? "")) return refuse("misdirected request");
  const [, shown] = /^bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return null;
  // Whoever shows none is only looking who is there, as `hooklatch check` does.
  if (shown !== undefined) complain({}, "refused a request to the admin listener: wrong token");
  const response = refuse("not authorised", { reason: "send the admin token as Authorization: Bearer" });
  response.headers.set("www-authenticate", "Bearer");
  return response;
}
