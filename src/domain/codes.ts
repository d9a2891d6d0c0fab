/**
 * Every code of a decision, a refusal, a deployment's result or a dropped notification, with a sentence that describes
 * it. Programs read codes; the messages beside them may change.
 */

/** Why an event does not deploy a target. */
export const DECISION_CODES = {
  ping: "The event is a ping, which deploys nothing.",
  event: "The target does not deploy this kind of event.",
  when: "The target's `when` is not true for this delivery, or cannot be evaluated.",
  repository: "The target deploys another repository.",
  branch: "The target deploys another branch.",
  tag: "The target deploys tags, and the pushed ref is not a matching tag.",
  deleted: "The branch or tag was deleted.",
  no_commit: "The old and the new commit are the same: the sender tests the webhook.",
  skip_requested: "The message of the pushed commit asks to skip the deployment.",
  waiting_for_ci: "The target waits for CI: the success of CI for the commit deploys it.",
  workflow: "The target waits for another workflow.",
  ci_pending: "CI has not finished.",
  ci_failed: "CI failed, or ended without a result.",
  ci_foreign: "CI ran for a pull request, another repository or something else than a push.",
  locked: "The target is locked.",
} as const;

export type DecisionCode = keyof typeof DECISION_CODES;

/** Why a request to a listener was refused. */
export const REFUSAL_CODES = {
  address_not_allowed: "The source does not accept requests from this address.",
  method_not_allowed: "The source does not accept this method.",
  payload_too_large: "The body is larger than `max_body`.",
  unsupported_media_type: "The source does not accept this content type, or the body is encoded.",
  body_fragmented: "The body comes in too many small chunks.",
  body_incomplete: "The connection ended before the body was complete.",
  over_capacity: "Requests of unverified senders use all the memory reserved for them.",
  too_many_attempts: "The address showed too many wrong tokens or passwords and has to wait.",
  signature_missing: "The request has no signature.",
  signature_mismatch: "The signature is malformed, or none of the secrets made it for this body.",
  timestamp_invalid: "The signed time is not a whole number of Unix seconds.",
  timestamp_too_old: "The signed time is more than five minutes, or the `tolerance`, before the server's.",
  timestamp_too_new: "The signed time is more than five minutes, or the `tolerance`, after the server's.",
  token_missing: "The request has no token, or an empty one.",
  token_mismatch: "The token is wrong.",
  token_repeated: "The request has more than one token.",
  challenge_invalid: "The `hub.` parameters are not those of a subscription.",
  credentials_missing: "The request has no user and password.",
  credentials_mismatch: "The user or the password is wrong.",
  client_address_unknown: "The address of the client is not known: a trusted proxy sends none.",
  client_unknown: "The address showed no token, or it was revoked.",
  client_expired: "The authorisation of the address has expired.",
  invalid_payload: "The body is not UTF-8 or not JSON, or a header of the event is malformed.",
  unexpected_payload: "The body is JSON, but not the payload of its event.",
  unavailable: "The delivery cannot be stored at the moment.",
  internal_error: "An internal error occurred.",
  https_required: "The request used plain HTTP.",
} as const;

export type RefusalCode = keyof typeof REFUSAL_CODES;

/** Why a deployment failed. */
export const FAILURE_CODES = {
  step_failed: "A command of `run` or `after` failed.",
  health_check_failed: "The health URL did not respond with 2xx in time.",
  timeout: "The deployment took longer than `timeout`.",
  fetch_failed: "git could not fetch the repository.",
  ref_missing: "The branch does not exist, or no tag matches.",
  commit_missing: "The requested commit is not in the repository.",
  commit_ambiguous: "More than one commit begins with the requested digits.",
  commit_not_signed: "The commit has no valid signature by an allowed signer.",
  release_missing: "The requested release is not on disk, or the layout has no releases.",
  checkout_failed: "git could not check out the commit, its submodules or its LFS files.",
  git_failed: "Another git command failed.",
  shared_path_unusable: "An entry of `shared` cannot be linked into the release.",
  directory_unusable: "The target's directory is missing, is not writable or holds other files.",
  disk_full: "The disk is full, or the quota is used up.",
  system_error: "The operating system refused an operation.",
  payload_env_invalid: "A value of `payload_env` cannot be that of an environment variable.",
  configuration_invalid: "The target's configuration cannot be used.",
  internal_error: "An internal error occurred.",
} as const;

export type FailureCode = keyof typeof FAILURE_CODES;

/** Why a deployment that began found nothing to do. Its state is `cancelled`. */
export const SKIP_CODES = {
  skip_requested: "The message of the commit asks to skip the deployment.",
  paths_unchanged: "No file that `paths` and `ignore_paths` select differs from the live commit.",
  rolled_back: "The commit was rolled back earlier, or is older than one that was.",
  already_live: "The commit is live already.",
  already_queued: "An earlier deployment of the commit was queued or running when CI succeeded again.",
  older_than_live: "The commit is older than the live one.",
  newer_queued: "A newer commit whose CI succeeded is queued.",
  not_in_branch: "The commit whose CI succeeded is not in the branch, or no matching tag is at it.",
  ci_pending: "Another workflow for the commit has not finished.",
  ci_failed: "Another workflow for the commit failed, or none succeeded.",
} as const;

export type SkipCode = keyof typeof SKIP_CODES;

/** Why a deployment ended in another state than `succeeded`. */
export const RESULT_CODES = {
  ...FAILURE_CODES,
  ...SKIP_CODES,
  cancelled: "A person cancelled the deployment.",
  not_configured: "The target is no longer configured.",
  superseded: "A newer deployment of the target was queued.",
  rollout_stopped: "The deployment on the host before it did not succeed.",
  host_forgotten: "A person removed the host.",
  shutdown: "The server stopped while the deployment ran.",
  crash: "The server was killed, or the machine stopped, while the deployment ran.",
  lease_lost: "The host of the deployment could not reach the database for too long, or stopped.",
} as const;

export type ResultCode = keyof typeof RESULT_CODES;

/** Whether a deployment with this code found nothing to do. */
export function isSkipCode(code: string | null): code is SkipCode {
  return code !== null && Object.hasOwn(SKIP_CODES, code);
}

/** Why a notification was dropped. */
export const NOTIFICATION_CODES = {
  channel_removed: "The channel is no longer configured.",
  deployment_removed: "The deployment is no longer stored.",
  rejected: "The receiver rejected the notification permanently.",
  attempts_exhausted: "The last attempt failed.",
} as const;

export type NotificationCode = keyof typeof NOTIFICATION_CODES;
