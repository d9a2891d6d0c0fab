import { type Static, Type } from "@sinclair/typebox";
import { RESULT_CODES } from "../domain/codes.ts";
import { DEPLOYMENT_STATES, type Deployment, TRIGGERS } from "../domain/deployment.ts";
import { describeResult, type ResultParts } from "../domain/deployment-result.ts";
import { codeOf, Id, nullable, oneOf, Time } from "./schema.ts";

/** The state of a deployment and how it ended. */
export const RESULT = {
  state: oneOf(DEPLOYMENT_STATES),
  code: nullable(codeOf(RESULT_CODES, "why the deployment did not succeed:")),
  reason: nullable(Type.String(), "the code in words, with details"),
};

/** A deployment. */
export const ApiDeployment = Type.Object({
  id: Id,
  target: Type.String(),
  host: Type.String({ description: "the name of the machine that it runs on" }),
  ...RESULT,
  trigger: oneOf(TRIGGERS),
  attempt: Type.Integer({ description: "2 for the retry of a deployment that a crash interrupted" }),
  retry_of: nullable(Id, "the interrupted deployment that this one repeats"),
  retried_as: nullable(Id, "the deployment that repeats this one"),
  superseded_by: nullable(Id, "the newer deployment that replaced this one"),
  delivery: nullable(Id, "the delivery that queued it"),
  pushed_commit: nullable(Type.String(), "the commit that the delivery names"),
  waits_for: nullable(Id, "the deployment on the host before it, which has to succeed first"),
  chosen: nullable(Type.String(), "the commit or release that a person chose"),
  branch: nullable(Type.String(), "the deployed branch or tag"),
  commit: nullable(Type.String(), "the deployed commit"),
  subject: nullable(Type.String(), "the first line of the commit's message"),
  author: nullable(Type.String(), "the name of the commit's author"),
  commit_url: nullable(Type.String(), "the commit's page at the forge"),
  previous_commit: nullable(Type.String(), "the commit that was live before"),
  release: nullable(Type.String(), "the name of the deployed release"),
  created_at: Time,
  started_at: nullable(Time),
  ended_at: nullable(Time),
  steps: Type.Array(
    Type.Object({
      command: Type.String(),
      exit_code: nullable(Type.Integer()),
      signal: nullable(Type.String(), "the signal that ended the command, such as SIGTERM"),
      milliseconds: Type.Number(),
    }),
    { description: "the commands that ran" },
  ),
});
export type ApiDeployment = Static<typeof ApiDeployment>;

/** A deployment that a request queued. */
export const ApiQueued = Type.Object({
  status: Type.Literal("queued"),
  deployment: Id,
  deployments: Type.Array(Type.Object({ id: Id, host: Type.String() }), {
    description: "one for each host of the target, in the order of the rollout",
  }),
});
export type ApiQueued = Static<typeof ApiQueued>;

/** A deployment that a request cancelled, or is ending. */
export const ApiCancelled = Type.Object({
  status: oneOf(["cancelled", "cancelling"]),
  deployment: ApiDeployment,
});

/** The data of the event that ends the stream of a deployment's output. */
export const ApiEnd = Type.Object({ ...RESULT, id: Id });
export type ApiEnd = Static<typeof ApiEnd>;

/** A deployment as JSON. `wait` says in words what a queued one waits for. */
export function toApiDeployment(deployment: Deployment, wait: string | null = null): ApiDeployment {
  const { id, waitsFor, choice, steps } = deployment;
  const fields = toDeploymentFields(deployment);
  return {
    id,
    ...fields,
    reason: fields.reason ?? wait,
    waits_for: waitsFor,
    chosen: describeChoice(choice),
    steps: steps.map(({ exitCode, ...step }) => ({ ...step, exit_code: exitCode })),
  };
}

/** Deployments that a request queued, as JSON. */
export function toApiQueued(deployments: readonly Deployment[]): ApiQueued {
  const [first] = deployments;
  if (first === undefined) throw new Error("a request queued no deployment");
  return {
    status: "queued",
    deployment: first.id,
    deployments: deployments.map(({ id, host }) => ({ id, host })),
  };
}

/** The choice of a person. The commit whose CI succeeded is no choice, but the pushed commit. */
function describeChoice(choice: Deployment["choice"]): string | null {
  if (choice === null || choice.kind === "ci") return null;
  return choice.kind === "commit" ? choice.commit : choice.release;
}

/** The fields that the admin API and notifications share. */
export function toDeploymentFields(deployment: Deployment) {
  return {
    target: deployment.target,
    host: deployment.host,
    ...toApiResult(deployment),
    trigger: deployment.trigger,
    attempt: deployment.attempt,
    retry_of: deployment.retryOf,
    retried_as: deployment.retriedAs,
    superseded_by: deployment.supersededBy,
    delivery: deployment.delivery,
    pushed_commit: deployment.pushedCommit,
    branch: deployment.branch,
    commit: deployment.commit,
    subject: deployment.subject,
    author: deployment.author,
    commit_url: deployment.commitUrl,
    previous_commit: deployment.previousCommit,
    release: deployment.release,
    created_at: deployment.createdAt.toISOString(),
    started_at: deployment.startedAt?.toISOString() ?? null,
    ended_at: deployment.endedAt?.toISOString() ?? null,
  };
}

/** The data of the event that ends the stream of a deployment's output. */
export function toApiEnd(deployment: Deployment): ApiEnd {
  return { ...toApiResult(deployment), id: deployment.id };
}

/** The state of a deployment and how it ended, as JSON. */
export function toApiResult(result: ResultParts & Pick<Deployment, "state">) {
  return { state: result.state, code: result.code, reason: describeResult(result) };
}
