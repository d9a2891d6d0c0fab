import type { ComponentChildren } from "preact";

/** The shapes of 16 by 16 pixels. They are decoration: a text stands beside each. */
const PATHS = {
  overview: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z",
  deployments: "M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M2.5 9.5v4h11v-4",
  deliveries: "M2.5 9.5h3l1 2h3l1-2h3M2.5 9.5v4h11v-4l-2-6h-7z",
  clients: "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.4-2.6 2.4-4 5-4s4.6 1.4 5 4",
  status: "M1.5 8.5h3l2-5 3 9 2-4h3",
  check: "m3.5 8.5 3 3 6-7",
  cross: "m4.5 4.5 7 7M11.5 4.5l-7 7",
  clock: "M8 4.5V8l2.5 1.5M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
  dash: "M4 8h8",
  lock: "M4.5 7.5h7v6h-7zM5.8 7.5V5.2a2.2 2.2 0 0 1 4.4 0v2.3",
  warning: "M8 2.5 14 13.5H2zM8 6.5v3.2M8 11.6v.2",
  arrow: "M3 8h9.5M9 4.5 12.5 8 9 11.5",
  down: "M8 3v9.5M4.5 9 8 12.5 11.5 9",
  up: "M8 13V3.5M4.5 7 8 3.5 11.5 7",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3",
  wrap: "M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4H8M9.5 10.3 7.8 12l1.7 1.7M2.5 12h2.5",
  link: "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5 7.5 8.5",
  logout: "M6.5 2.5h-4v11h4M7 8h6.5M10.5 5l3 3-3 3",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof PATHS;

/** A decorative icon in the colour of the text. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The brand. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path class="logo-hook" d="M9 5v12a6.5 6.5 0 0 0 13 0v-2.5" />
      <path class="logo-latch" d="M17 19.5 22 14.5l5 5" />
    </svg>
  );
}

/** A button with an icon and a text. */
export function IconText({
  icon,
  children,
}: {
  readonly icon: IconName;
  readonly children: ComponentChildren;
}) {
  return (
    <>
      <Icon name={icon} />
      <span>{children}</span>
    </>
  );
}
