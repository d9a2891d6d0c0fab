import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { FullRef, ObjectName, RepositoryName } from "../git-push.ts";

/**
 * The parts of GitHub's payloads that are used. Only what a decision needs is required, because forges that speak GitHub's
 * dialect leave out the rest; other known fields must have their type. Unknown fields are accepted, because GitHub adds them without notice.
 * Source: the schemas `webhook-push` and `webhook-ping` of github/rest-api-description. A payload that matches those
 * matches these, except a ping without any field of its own.
 */

function nullable<Schema extends TSchema>(schema: Schema, expected: string) {
  return Type.Union([schema, Type.Null()], { expected });
}

const NullableText = nullable(Type.String(), "string or null");
const Paths = nullable(Type.Array(Type.String()), "a list of paths or null");

const Person = Type.Object({
  name: Type.Optional(Type.String()),
  email: Type.Optional(NullableText),
  username: Type.Optional(Type.String()),
});

const Commit = Type.Object({
  id: Type.String(),
  message: Type.Optional(Type.String()),
  timestamp: Type.Optional(Type.String()),
  url: Type.Optional(Type.String()),
  author: Type.Optional(Person),
  committer: Type.Optional(Person),
  added: Type.Optional(Paths),
  removed: Type.Optional(Paths),
  modified: Type.Optional(Paths),
});

/** The only commit whose id is used: the one that an annotated tag names. */
const HeadCommit = Type.Object({ ...Commit.properties, id: ObjectName });

/** Unix seconds in a push, text in other events. */
const Timestamp = Type.Union([Type.Integer(), Type.String(), Type.Null()], {
  expected: "integer, string or null",
});

const Account = Type.Object({ login: Type.String(), id: Type.Optional(Type.Integer()) });

const Repository = Type.Object({
  full_name: RepositoryName,
  id: Type.Optional(Type.Integer()),
  name: Type.Optional(Type.String()),
  owner: Type.Optional(nullable(Account, "an account or null")),
  private: Type.Optional(Type.Boolean()),
  default_branch: Type.Optional(Type.String()),
  created_at: Type.Optional(Timestamp),
  pushed_at: Type.Optional(Timestamp),
});

/** `after` is the new tip, or the tag object of an annotated tag, or zeros for a deleted ref. */
export const Push = Type.Object({
  ref: FullRef,
  before: ObjectName,
  after: ObjectName,
  created: Type.Optional(Type.Boolean()),
  deleted: Type.Optional(Type.Boolean()),
  forced: Type.Optional(Type.Boolean()),
  base_ref: Type.Optional(NullableText),
  compare: Type.Optional(Type.String()),
  commits: Type.Optional(Type.Array(Commit)),
  head_commit: Type.Optional(nullable(HeadCommit, "a commit or null")),
  repository: Repository,
  pusher: Type.Optional(Person),
  sender: Type.Optional(Account),
});
export type Push = Static<typeof Push>;

/** GitHub's schema requires no field. The ping of an organisation has no repository. */
export const Ping = Type.Object({
  zen: Type.Optional(Type.String()),
  hook_id: Type.Optional(Type.Integer()),
  hook: Type.Optional(
    Type.Object({
      id: Type.Optional(Type.Integer()),
      type: Type.Optional(Type.String()),
      active: Type.Optional(Type.Boolean()),
      events: Type.Optional(Type.Array(Type.String())),
    }),
  ),
  repository: Type.Optional(Repository),
  sender: Type.Optional(Account),
});
