import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { announcement, connection } from "../live.ts";
import { explain, logOut } from "../request.ts";
import type { Resource } from "../resource.ts";
import type { Route } from "../route.ts";
import { Icon, type IconName, Logo } from "./icons.tsx";

interface Link {
  readonly address: string;
  readonly icon: IconName;
  readonly text: string;
  /** The pages for which it is the current one. */
  readonly pages: readonly Route["page"][];
}

const LINKS: readonly Link[] = [
  { address: "#/", icon: "overview", text: "Overview", pages: ["overview", "target"] },
  {
    address: "#/deployments",
    icon: "deployments",
    text: "Deployments",
    pages: ["deployments", "deployment"],
  },
  {
    address: "#/deliveries",
    icon: "deliveries",
    text: "Deliveries",
    pages: ["deliveries", "delivery", "refusals"],
  },
  { address: "#/clients", icon: "clients", text: "Clients", pages: ["clients"] },
  { address: "#/status", icon: "status", text: "Status", pages: ["status"] },
];

/** The navigation around a page. */
export function Frame({ route, children }: { readonly route: Route; readonly children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="side">
        <a class="brand" href="#/">
          <Logo />
          hooklatch
        </a>
        <nav aria-label="Pages">
          {LINKS.map(({ address, icon, text, pages }) => (
            <a key={address} href={address} aria-current={pages.includes(route.page) ? "page" : undefined}>
              <Icon name={icon} />
              <span>{text}</span>
            </a>
          ))}
        </nav>
        <div class="side-foot">
          <Connection />
          <button type="button" class="quiet-button" onClick={() => void logOut()}>
            <Icon name="logout" />
            <span>Log out</span>
          </button>
        </div>
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        {children}
      </main>
      <Announcement />
    </div>
  );
}

const CONNECTION = {
  connecting: ["wait", "Connecting"],
  live: ["good", "Live"],
  lost: ["bad", "Reconnecting"],
} as const;

function Connection() {
  const [tone, text] = CONNECTION[connection.value];
  return (
    <span class={`connection ${tone}`} role="status" title="Whether changes of the server arrive">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

/** Present from the start: screen readers announce changes of a region that they know. */
function Announcement() {
  const shown = announcement.value;
  return (
    <div class="announcement" role="status" aria-live="polite">
      {shown !== null && <p class={shown.isError ? "bad" : ""}>{shown.text}</p>}
    </div>
  );
}

/** The head of a page. It gets the focus when the page opens, so that screen readers read the title. */
export function PageHead({
  title,
  heading,
  children,
  actions,
}: {
  /** Of the browser's tab. */
  readonly title: string;
  readonly heading: ComponentChildren;
  /** Below the heading. */
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
}) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · hooklatch`;
  }, [title]);
  useEffect(() => {
    head.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, []);
  return (
    <div class="page-head">
      <div class="page-title">
        <h1 ref={head} tabIndex={-1}>
          {heading}
        </h1>
        {children}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
    </div>
  );
}

/** A part of a page with a heading. */
export function Section({
  title,
  aside,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="section" aria-label={title}>
      <div class="section-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Shows a value when it is loaded, before that a placeholder of about its height, and why it cannot be loaded. */
export function Loaded<Value>({
  resource,
  lines = 3,
  children,
}: {
  readonly resource: Resource<Value>;
  /** Lines of the placeholder. */
  readonly lines?: number;
  readonly children: (value: Value) => ComponentChildren;
}) {
  const { value, failure, reload } = resource;
  if (value !== null) return <>{children(value)}</>;
  if (failure !== null) {
    return (
      <div class="notice bad" role="alert">
        <span>
          {failure.kind === "problem" && failure.code === 404 ? "Not found" : "Could not load"}:{" "}
          {explain(failure)}
        </span>
        <button type="button" class="button" onClick={reload}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, at) => (
        <div key={at} />
      ))}
    </div>
  );
}
